"""Which items of a task are scored: splits, halves of them, and shares."""
