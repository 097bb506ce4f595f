"""Depth maps after the alignment: cleaned, fused, triangulated."""
