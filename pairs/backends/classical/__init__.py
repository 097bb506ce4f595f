"""The embedded backend: cameras, depth and matches from photographs alone, without network weights."""
