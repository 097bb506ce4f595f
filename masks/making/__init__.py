"""Masks made from photos alone: every road ends in evidence, and evidence becomes masks in one way."""
