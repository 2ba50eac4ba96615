"""From a command line to objects: what Hydra composes, checked and built, or one clear line."""
