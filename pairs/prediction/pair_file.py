"""One pair as arrays: the layout of `pairs/<a>--<b>.safetensors` in a folder of predictions.

`ab/a_in_a`, `ab/b_in_a` (H, W, 3), `ab/a_conf`, `ab/b_conf` (H, W) of the run in order (a, b); `ba/b_in_b`,
`ba/a_in_b`, `ba/b_conf`, `ba/a_conf` of the reversed run; `matches/xy_a`, `matches/xy_b` (M, 2),
`matches/conf` (M,). Either run and the matches may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from masks.errors import FormatError
from masks.notice import first_few
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction


def entry_to_arrays(entry: PairEntry) -> dict[str, np.ndarray]:
    """Return a pair's arrays by the names of the file layout."""
    arrays: dict[str, np.ndarray] = {}
    if entry.ab is not None:
        arrays |= {
            "ab/a_in_a": entry.ab.a_in_a,
            "ab/b_in_a": entry.ab.b_in_a,
            "ab/a_conf": entry.ab.a_conf,
            "ab/b_conf": entry.ab.b_conf,
        }
    if entry.ba is not None:
        arrays |= {
            # The reversed run has b as its first view: names in a file say whose points they are, fields on
            # which side they came out.
            "ba/b_in_b": entry.ba.a_in_a,
            "ba/a_in_b": entry.ba.b_in_a,
            "ba/b_conf": entry.ba.a_conf,
            "ba/a_conf": entry.ba.b_conf,
        }
    if entry.matches is not None:
        arrays |= {
            "matches/xy_a": entry.matches.xy_a,
            "matches/xy_b": entry.matches.xy_b,
            "matches/conf": entry.matches.conf,
        }
    return arrays


def entry_from_arrays(
    arrays: Mapping[str, np.ndarray], size_a: tuple[int, int], size_b: tuple[int, int], path: Path
) -> PairEntry:
    """Return the pair that a file's arrays hold, checked against the views' (width, height).

    Raises `FormatError` naming the file and the array when something is missing, of the wrong shape, or when
    confidences or matches are not numbers.
    """
    # Other names are left alone, so that a program may keep what it likes beside.
    runs = {name.split("/")[0] for name in arrays}
    if not runs & {"ab", "ba"}:
        raise FormatError(
            f"{path}: holds no run of the pair (neither ab/... nor ba/...). Write the arrays by the names in "
            "docs/formats.md."
        )
    entry = PairEntry(
        ab=_run(arrays, "ab", ("a_in_a", "b_in_a", "a_conf", "b_conf"), (size_a, size_b), path)
        if "ab" in runs
        else None,
        ba=_run(arrays, "ba", ("b_in_b", "a_in_b", "b_conf", "a_conf"), (size_b, size_a), path)
        if "ba" in runs
        else None,
        matches=_matches(arrays, path) if "matches" in runs else None,
    )
    if entry.matches is not None:
        for name, xy, size in (("xy_a", entry.matches.xy_a, size_a), ("xy_b", entry.matches.xy_b, size_b)):
            if len(xy) and ((xy < -0.5).any() or (xy > np.array(size) - 0.5).any()):
                raise FormatError(
                    f"{path}: matches/{name} leaves the {size[0]}x{size[1]} grid. Write positions as (x, y) "
                    "in the grid's pixels."
                )
    return entry


def _run(
    arrays: Mapping[str, np.ndarray],
    run: str,
    names: tuple[str, str, str, str],
    sizes: tuple[tuple[int, int], tuple[int, int]],
    path: Path,
) -> PairPrediction:
    found = []
    for name, (w, h), shape in zip(names, (*sizes, *sizes), ((3,), (3,), (), ())):
        array = _array(arrays, f"{run}/{name}", path)
        if array.dtype.kind != "f":
            raise FormatError(
                f"{path}: {run}/{name} holds {array.dtype}. Pointmaps and confidences are floating-point "
                "numbers: write float32."
            )
        if array.shape != (h, w, *shape):
            raise FormatError(
                f"{path}: {run}/{name} has the shape {array.shape}, but views.json says {w}x{h}, so it "
                f"should be {(h, w, *shape)}. Write it on the view's grid, or correct the size there."
            )
        found.append(array)
    for name, conf in zip(names[2:], found[2:]):
        # Written so that NaN is refused, too.
        if not ((conf >= 1) & (conf < np.inf)).all():
            raise FormatError(
                f"{path}: {run}/{name} has values below 1, infinite or NaN. Confidences are at least 1; "
                "mark what is not to be used with masks."
            )
    return PairPrediction(*found)


def _matches(arrays: Mapping[str, np.ndarray], path: Path) -> Matches:
    xy_a, xy_b, conf = (_array(arrays, f"matches/{name}", path) for name in ("xy_a", "xy_b", "conf"))
    if conf.ndim != 1 or xy_a.shape != (len(conf), 2) or xy_b.shape != (len(conf), 2):
        raise FormatError(
            f"{path}: matches have the shapes {xy_a.shape}, {xy_b.shape}, {conf.shape}; they should be (M, "
            "2), (M, 2), (M,): write one row a match."
        )
    if any(array.dtype.kind not in "fiu" for array in (xy_a, xy_b, conf)):
        raise FormatError(f"{path}: matches are no numbers. Write float32.")
    if not (np.isfinite(xy_a).all() and np.isfinite(xy_b).all() and np.isfinite(conf).all()):
        raise FormatError(f"{path}: matches hold NaN or infinite values. Leave such matches out.")
    if not (conf > 0).all():
        raise FormatError(f"{path}: matches/conf has values that are not positive. Leave such matches out.")
    return Matches(xy_a.astype(np.float64), xy_b.astype(np.float64), conf.astype(np.float64))


def _array(arrays: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    if name not in arrays:
        raise FormatError(
            f"{path}: the array {name} is missing. It holds: {first_few(sorted(arrays))}. Write it as well."
        )
    return arrays[name]
