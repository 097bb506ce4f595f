"""What all views agree on: cameras, depth, the object."""
