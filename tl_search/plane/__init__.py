"""Floor 1: values and arithmetic. No torch, no files, no network.

Start at `arm`, the point of a plane, and `schedule`, which says where its checkpoints fall; `pull` holds what
policies, scoring and search say to one another.
"""
