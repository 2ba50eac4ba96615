"""Floor 2: where revisions come from: a training run, a folder or the Hub, a file each.

Start at `source`, which says what every source offers.
"""
