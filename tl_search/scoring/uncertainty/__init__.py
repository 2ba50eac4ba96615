"""How much a score would vary with other data: replicates of it, by type of task."""
