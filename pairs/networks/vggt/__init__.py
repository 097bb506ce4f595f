"""VGGT: cameras, depth, points and tracks of many photos in one pass; plain modules, and the reading of their
published checkpoints.
"""
