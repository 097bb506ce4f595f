"""Damped least squares with eliminated unknowns, and what its models share."""
