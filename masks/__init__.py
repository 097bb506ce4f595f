"""Which pixels count: masks, pixel maps, and the errors and notices that everything else shares.

    >>> from pathlib import Path
    >>> from masks import Mask, PixelMap, Polarity, load_masks

A `Mask` is the foreground of one upright photo, at the photo's resolution. A `PixelMap` is the exact map
between the pixels of a stored photo and those of a grid, both ways, for points, intrinsics and images.
`load_masks` reads mask files, decides which side of them is the object, and fits them to their photos. All
errors are `PointloomError`; what a user can mend is a `UserError`. What was decided on the user's behalf is a
`Notice`.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
