"""Ground: how mistakes and failures are told. Knows no learning, and no files but their names."""
