from .any_file import read_cameras_of as read_cameras_of
