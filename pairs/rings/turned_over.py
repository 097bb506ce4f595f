"""Which circles of a scene are of an object that lay otherwise (docs/turntables.md, "Both sides")."""

from __future__ import annotations

import numpy as np

from pairs.rings.ring import CircularMotion, Ring

_LEVEL = np.sin(np.deg2rad(5.0))
"""Cameras that look less far down do not tell an object upside down from a camera that was."""


def turned_over(motion: CircularMotion) -> tuple[bool, ...]:
    """Return for every ring whether the object lay otherwise than in the first one.

    About another axis it did. About the same one it may stand upside down: a still camera then sees the axis
    the other way round, all of it. A camera that was rolled in the hand sees it other way round in the
    picture alone, one that was moved below the object towards the object alone.
    """
    return tuple(
        number != motion.turntable[0] or _upside_down(motion.rings[0], ring)
        for number, ring in zip(motion.turntable, motion.rings)
    )


def standing(motion: CircularMotion, num_views: int) -> np.ndarray:
    """Return the views (n,) of a scene but those for which the object lay otherwise than in the first
    ring.
    """
    over = [ring.views for ring, other in zip(motion.rings, turned_over(motion)) if other]
    return np.setdiff1d(np.arange(num_views), np.concatenate([*over, np.zeros(0, int)]))


def _upside_down(first: Ring, ring: Ring) -> bool:
    there, here = first.axis_in_camera, ring.axis_in_camera
    in_picture, in_depth = there[:2] @ here[:2], there[2] * here[2]
    return bool(in_picture < 0 and in_depth < 0 and min(abs(there[2]), abs(here[2])) > _LEVEL)
