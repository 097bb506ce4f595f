"""The object as a closed, textured triangle mesh, from cameras, depth, confidence, masks and photos."""
