from .frame import ObjectFrame as ObjectFrame
from .frame import object_frame as object_frame
from .placed import placed_scene as placed_scene
from .placement import Placement as Placement
from .placement import place as place
from .turntable import Turntable as Turntable
from .turntable import turntable_of as turntable_of
