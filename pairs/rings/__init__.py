"""Cameras on circles about one axis, and outlines of masks as measurements of them."""
