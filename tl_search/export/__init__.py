"""An arm as a model that anyone loads: its blocks, its pooling and its normalisation in one folder."""
