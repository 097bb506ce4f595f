"""A turntable of our own: an object with exact cameras and masks, rendered as photographs."""
