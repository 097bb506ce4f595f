"""The object for its own sake: which way is up, where it stands, how large it is, and what turned it.

`place` moves a scene into the frame and the unit that a `Placement` states; `object_frame` finds the frame,
`turntable_of` the circles on which the cameras stand.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
