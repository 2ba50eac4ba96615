"""Floor 4: the search itself, where policies, probe and scoring meet.

Start at `run`, which says what a search is made of and takes it from its first score to its result; `loop` is the
conversation with the policy. What looks at a plane while its run still trains begins at `live`.
"""
