"""From a command line to objects: what Hydra composes, checked and built, or one clear line.

Start at `preflight`, which does all of it for one job; `build` turns a config's nodes into objects.
"""
