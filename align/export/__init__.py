"""Files that other programs open: GLB, PLY, cameras.json, COLMAP models; and their readers.

    >>> from align import load_scene
    >>> from align.export import export_scene
    >>> export_scene(load_scene("scene"), "object.ply", "ply")

`EXPORTERS` maps the names of formats to frozen dataclasses of their options;
`exporters_named("colmap,ply", {"min_conf": 3.0})` sets some of them.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
