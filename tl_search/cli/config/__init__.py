"""Turns a command line into checked objects: Hydra composes the config; a mistake gives one clear line.

Start at `preflight`, which does all of it for one job; `build` turns a config's nodes into objects.
"""
