"""Cameras from the scene itself: fits with more or fewer free parameters, and which of them to believe."""
