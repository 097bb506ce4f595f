"""How far a scene is from the truth: camera errors and their curves."""
