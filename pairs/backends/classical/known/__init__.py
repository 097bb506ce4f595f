"""Scenes at poses that somebody states: compared with the matches, then kept or improved."""
