"""Masks that the cameras help to make: what stands on a plane, and what no other silhouette allows."""
