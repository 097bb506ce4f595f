"""Cameras of photos from files of other programs.

>>> from align.imports import read_cameras_of
>>> read_cameras_of("sparse/0").cameras[0].K
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
