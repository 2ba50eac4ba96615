"""Families of models that publish the checkpoints of their training, one YAML file each."""
