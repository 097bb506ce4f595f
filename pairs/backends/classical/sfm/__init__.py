"""Structure from motion of the embedded backend: features, matches, verification, mapping, acceptance."""
