"""New photos placed by their features, without weights."""
