"""Floor 4: the search itself, where policies, probe and scoring meet.

Start at `run`, which says what a search is made of and runs it from its first score to its result; `loop` asks the
policy for decisions. What measures a plane while its run still trains begins at `live`.
"""
