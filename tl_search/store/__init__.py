"""Ground floor: bytes on disk. Nothing here knows what the bytes mean.

Start at `atomic`, which writes files and folders completely or not at all; what is written goes through it.
"""
