"""Folders that other reconstruction programs and trainers open: COLMAP, nerfstudio, OpenMVS, splats."""
