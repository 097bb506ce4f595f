"""glTF: the scene for viewers, browsers and Blender."""
