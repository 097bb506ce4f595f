"""What the object stands on while both turn: a disc with marks, which is no part of it."""
