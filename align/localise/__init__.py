"""Views placed in a scene that is already solved."""
