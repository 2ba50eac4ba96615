"""Turns a command line into checked objects: Hydra composes the config; a mistake gives one clear line."""
