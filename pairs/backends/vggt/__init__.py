"""VGGT as a backend: all views in one pass, tracks, or pair by pair."""
