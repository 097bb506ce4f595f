"""The object for its own sake: which way is up, where it stands, how large it is."""
