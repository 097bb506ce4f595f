"""Photos onto a mesh: a rasteriser, charts, and the texture baked from the photos."""
