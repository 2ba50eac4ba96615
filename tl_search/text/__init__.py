"""Floor 1: where text comes from. Documents in a fixed order; no torch, nothing of training or scoring."""
