"""One mask a photo, where several files may be it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from masks.given.look import Kind, PhotoShape
from masks.given.looking import Looked, look_at
from masks.notice import Notice, first_few, info, warning

_BEST = (Kind.TWO_LEVELS, Kind.SOFT, Kind.LABELS, Kind.FLAT, Kind.CUT_OUT, Kind.PICTURE)


def chosen(
    candidates: Sequence[Sequence[Path]], photos: Sequence[PhotoShape]
) -> tuple[tuple[Path, ...], tuple[Notice, ...], dict[Path, Looked]]:
    """Return the file of each photo's candidates that is taken for its mask, what is said of that, and what
    was found in those that were looked at: a file of two levels before a picture, the first of equals.
    """
    taken, better, equal = [], [], []
    looked: dict[Path, Looked] = {}
    for paths, photo in zip(candidates, photos):
        if len(paths) == 1:
            taken.append(paths[0])
            continue
        found = [(*look_at(path, photo), path) for path in paths]
        found.sort(key=lambda each: _BEST.index(each[0].kind))
        (first, mask, path), (second, other, _) = found[:2]
        taken.append(path)
        looked[path] = first, mask
        others = first_few([each[2].name for each in found[1:]])
        if first.kind is not second.kind:
            better.append(f"{path.name} ({first.kind}), not {others}")
        elif mask.shape != other.shape or not np.array_equal(mask.bits, other.bits):
            equal.append(f"{path.name}, not {others}")
    notices = []
    if better:
        text = f"several files may be the mask of one photo; taken: {first_few(better, '; ')}."
        notices.append(info("masks", text))
    if equal:
        text = (
            f"several files may be the mask of one photo, and they differ; taken: {first_few(equal, '; ')}. "
            "Remove the ones that are not meant."
        )
        notices.append(warning("masks", text))
    return tuple(taken), tuple(notices), looked
