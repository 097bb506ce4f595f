"""Views that features cannot place, placed on the circle of a turntable by the outlines of their masks."""
