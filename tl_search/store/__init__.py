"""Ground floor: bytes on disk. Nothing here knows what the bytes mean.

`atomic` writes files and folders completely or not at all; `journal` keeps append-only logs; `manifest` lists what a
folder must contain; `arrays` stores named arrays under a key; `keys` makes digests and file names; `lock` makes sure
that only one process owns a folder.
"""
