"""Pictures of what was made: contact sheets, clouds from four sides, matches.

`write_scene_sheet` writes the contact sheet of a scene; `contact_sheet` draws one from parts, `four_sides` a
coloured cloud from around, `match_picture` two photos with their matches.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
