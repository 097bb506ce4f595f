"""Which pairs of views to look at."""
