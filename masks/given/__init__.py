"""Masks that somebody gives: every file is looked at before it is believed (docs/masks.md, "What a mask file
holds").
"""
