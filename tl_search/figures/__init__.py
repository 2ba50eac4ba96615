"""Floor 3: everything that is drawn with matplotlib. Values go in, the bytes or the pixels of a picture come out.

Nothing here reads a run: the caller computes what is shown. matplotlib is imported only when a picture is drawn.
"""
