"""Files that other programs open: GLB, PLY, cameras.json, COLMAP models; and their readers.

    >>> from align import load_scene
    >>> from align.export import EXPORTERS
    >>> EXPORTERS["ply"](load_scene("scene"), "object.ply")

`EXPORTERS` maps a format's name to a function of a scene, a path and
`ExportOptions`: how sure a point must be to be written.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
