"""The object as a closed, textured triangle mesh, from cameras, depth, confidence, masks and photos.

`write_object_mesh` makes and writes it. `object_mesh` only makes it, `write_mesh` only writes one, and
`object_surface` and `simplified` are its shape alone.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
