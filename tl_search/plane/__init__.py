"""Floor 1: values and arithmetic. No torch, no files, no network.

What a plane is (`revision`, `arm`, `extraction`), where its checkpoints fall (`horizon`, `spacing`,
`schedule`, `sampling`, `curriculum`), what its scores add up to (`objective`), and what policies,
scoring and search say to one another (`pull`, `costs`).
"""
