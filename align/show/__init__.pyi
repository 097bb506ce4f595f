from .cloud_picture import four_sides as four_sides
from .matches import match_picture as match_picture
from .scene_sheet import write_scene_sheet as write_scene_sheet
from .sheets import contact_sheet as contact_sheet
