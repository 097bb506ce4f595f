"""What masks and cameras say of the object's shape together."""
