"""Ground floor: bytes on disk. Knows nothing of learning, imports nothing of the other rooms.

`atomic` writes files and folders whole or not at all; `journal` keeps append-only logs; `manifest` says what a
folder must hold; `arrays` keeps named arrays under a key; `keys` names things; `lock` gives a run one owner;
`stdlib` reads the text that every machine already has; `errors` follows an error to its cause, and to another process;
`nearest` says what was probably meant by a name that there is not.
"""
