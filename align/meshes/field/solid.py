"""The solid part of a field: no crumbs, no cavities, closed at the lattice's rim."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import label

from align.meshes.field.lattice import DistanceField
from align.meshes.options import MeshOptions
from masks.errors import ReconstructionError

_CRUMB = 0.02
"""Share of the largest part below which a part is one."""


class SolidPart(NamedTuple):
    """A field whose solid nodes are the object's."""

    field: DistanceField
    parts: tuple[float, ...]
    """Sizes of all parts that are no crumbs, as shares of the largest, descending."""


def solid_part(field: DistanceField, options: MeshOptions) -> SolidPart:
    """Return the field without the parts that `options` leave out. Raises `ReconstructionError` when nothing
    is solid.
    """
    values = field.values.copy()
    for axis in range(3):
        rim = np.moveaxis(values, axis, 0)
        rim[[0, -1]] = options.truncation
    number = _parts(values < 0)
    sizes = np.bincount(number.ravel())[1:]
    if len(sizes) == 0:
        raise ReconstructionError(
            f"nothing solid is left of {values.size} places, of which the silhouettes allow "
            f"{int((field.hull < 0).sum())} near the surface: masks or cameras contradict each other. Look "
            "at the masks and at the report of the scene."
        )
    share = sizes / sizes.max()
    kept = share >= _CRUMB if options.parts == "all" else np.arange(len(sizes)) == sizes.argmax()
    values[np.concatenate([[False], ~kept])[number]] = options.truncation
    del number
    outside = _parts(values >= 0)
    # The rim is empty, and the outside is what hangs together with it.
    values[(outside > 0) & (outside != outside[0, 0, 0])] = -options.truncation
    return SolidPart(
        replace(field, values=values), tuple(sorted(share[share >= _CRUMB].tolist(), reverse=True))
    )


def _parts(inside: np.ndarray) -> np.ndarray:
    """Return the numbers (X, Y, Z) int32 of the parts that hang together by faces, from 1 on; 0 elsewhere."""
    number = np.zeros(inside.shape, np.int32)
    label(inside, output=number)
    return number
