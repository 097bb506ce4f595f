"""The signed distance of the object's surface on a lattice: what the views say, and what closes it."""
