"""Farthest point sampling: a few views, as different from each other as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class FarthestPoints:
    """Views in the order of their choice."""

    views: list[int]
    distances: list[float]
    """How far each was from the nearest of those before it; 0 for the first."""


def farthest_points(
    distance: np.ndarray,  # (V, V); rows are read
    count: int,
    first: int,
    least_distance: float = -np.inf,
) -> FarthestPoints:
    """Return `count` different views (all, if there are fewer), each the farthest from those before it.

    Of equally far ones the first is taken. Ends early when the next one is nearer than `least_distance`.
    """
    views, distances = [first], [0.0]
    nearest = distance[first].astype(float)
    while len(views) < min(count, len(distance)):
        # A chosen view is not nearer to itself than its copies are: it must be kept from coming again.
        nearest[views] = -np.inf
        view = int(nearest.argmax())
        if nearest[view] < least_distance:
            break
        views.append(view)
        distances.append(float(nearest[view]))
        nearest = np.minimum(nearest, distance[view])
    return FarthestPoints(views, distances)
