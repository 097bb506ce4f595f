"""How the object lay on the table, where it was turned over between two runs
(docs/turntables.md, "Both sides").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from masks.notice import Notice, first_few, info
from pairs.rings.ring import CircularMotion
from pairs.rings.turned_over import turned_over


@dataclass(frozen=True, slots=True)
class Side:
    """The rings for which the object lay one way."""

    rings: tuple[int, ...]
    """Their numbers."""
    up: float
    """1 where their axis points up, -1 where it points down."""
    turned_over: float
    """Radians between their way up and that of the first ring, in the object."""


def sides_of(
    motion: CircularMotion, upper_end: Callable[[np.ndarray, np.ndarray], float]
) -> tuple[Side, ...]:
    """Return the sides on which the object lay; `upper_end` tells which way an axis (3,) points in views."""
    lying: dict[tuple[int, bool], list[int]] = {}
    for number, key in enumerate(zip(motion.turntable, turned_over(motion))):
        lying.setdefault(key, []).append(number)
    sides: list[Side] = []
    first = np.zeros(3)
    for rings in lying.values():
        axis = motion.rings[rings[0]].axis_from_world[2, :3]
        up = upper_end(axis, np.concatenate([motion.rings[number].views for number in rings]))
        first = first if sides else up * axis
        # The arc cosine of a rounded one is not 0.
        turn = float(np.arccos(np.clip(first @ (up * axis), -1, 1))) if sides else 0.0
        sides.append(Side(tuple(rings), up, turn))
    return tuple(sides)


def side_notices(
    motion: CircularMotion, sides: Sequence[Side], names: Sequence[str], inputs: Sequence[str]
) -> list[Notice]:
    """Return what the report says of an object that was turned over."""
    place = {name: k for k, name in enumerate(inputs)}
    files = [
        sorted(
            place.get(names[view], view)
            for number in side.rings
            for view in map(int, motion.rings[number].views)
        )
        for side in sides
    ]
    notices = []
    for side, own in zip(sides[1:], files[1:]):
        about = f"by {np.rad2deg(side.turned_over):.0f} degrees"
        text = (
            f"the object was turned over {about} {_where(files[0], own, inputs)}: {len(files[0])} photos "
            f"show it as it stood, {len(own)} as it lay then. Its frame stands as in {inputs[files[0][0]]}."
        )
        notices.append(info("turntable", text))
    return notices


def _where(first: Sequence[int], other: Sequence[int], inputs: Sequence[str]) -> str:
    """Return between which photos the object was turned, where runs are one after the other."""
    if first[-1] < other[0]:
        return f"between {inputs[first[-1]]} and {inputs[other[0]]}"
    if other[-1] < first[0]:
        return f"between {inputs[other[-1]]} and {inputs[first[0]]}"
    return f"for {first_few([inputs[file] for file in other])}"
