"""Which arrays an entry of the store holds: what is laid out otherwise is not taken for a result."""

from __future__ import annotations

from collections.abc import Mapping

from pairs.prediction.sealed_arrays import Arrays

Layout = Mapping[str, tuple[str, tuple[int | str, ...]]]
"""Type and shape of every array by its name. A letter stands for a length, the same wherever it stands."""


def laid_out(arrays: Arrays, layout: Layout) -> Arrays:
    """Return the arrays if they are those of the layout. Raises `ValueError` naming the one that is not."""
    if arrays.keys() != layout.keys():
        raise ValueError(f"holds {', '.join(sorted(arrays))} instead of {', '.join(sorted(layout))}")
    lengths: dict[str, int] = {}
    for name, (dtype, shape) in layout.items():
        array = arrays[name]
        if array.dtype != dtype or array.ndim != len(shape):
            raise ValueError(f"{name} is {array.dtype} {array.shape} instead of {dtype} {shape}")
        for length, due in zip(array.shape, shape):
            if length != (lengths.setdefault(due, length) if isinstance(due, str) else due):
                raise ValueError(f"{name} has the shape {array.shape} instead of {shape} with {lengths}")
    return arrays
