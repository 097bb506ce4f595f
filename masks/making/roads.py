"""From working pictures to evidence, by the road that was asked for or the first that is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from masks.errors import MaskError
from masks.making.choice import Choice, Road, choose, signals
from masks.making.evidence import Evidence
from masks.making.plain import plain_evidence
from masks.making.plate import EMPTY, Plate, plate_evidence, plate_from_empty
from masks.making.runs import FEWEST, evidence_of_runs, runs_of
from masks.notice import Notice, first_few, warning

_LEAST_GAIN, _MOST_GAIN = 0.8, 1.25


@dataclass(frozen=True, slots=True)
class Taken:
    """A road and what it said."""

    choice: Choice
    evidence: Evidence | None
    """None where no road was sure, and on the scene's road, which needs cameras."""
    notices: tuple[Notice, ...] = ()


def take_road(
    pictures: Sequence[np.ndarray],
    names: Sequence[str],
    asked: Road | None = None,
    empty: np.ndarray | None = None,
) -> Taken:
    """Return the evidence of working pictures (h, w, 3) uint8 of photos of these names.

    None asked: by `empty`, a working picture of the backdrop alone, where there is one, else the first road
    that is sure. Raises `MaskError` where a road that is asked for cannot be taken.
    """
    if asked is Road.EMPTY and empty is None:
        raise MaskError("`road=empty` needs a photo of the empty backdrop (`empty`).")
    if empty is not None and asked in (None, Road.EMPTY):
        return _by_empty(pictures, names, empty)
    if asked is None:
        found = signals(pictures)
        choice = choose(found, names)
        if choice.road is Road.PLAIN:
            return Taken(choice, plain_evidence(pictures, found.borders))
        if choice.road is None:
            return Taken(choice, None)
        evidence = evidence_of_runs(pictures, found.runs)
        return Taken(choice, evidence, _exposures([run.plate for run in found.runs], names))
    choice = Choice(asked, "as asked")
    if asked is Road.PLAIN:
        return Taken(choice, plain_evidence(pictures))
    if asked is Road.SCENE:
        return Taken(choice, None)
    if len(pictures) < FEWEST or len({picture.shape for picture in pictures}) > 1:
        raise MaskError(f"`road=still` needs at least {FEWEST} photos, all of one size.")
    runs, touched = runs_of(pictures)
    if touched and len(runs) == 1:
        raise MaskError(
            f"`road=still`: the camera was touched before {first_few([names[k] for k in touched])}, and "
            f"fewer than {FEWEST} photos lie between. Give the photos of one place."
        )
    return Taken(choice, evidence_of_runs(pictures, runs), _exposures([run.plate for run in runs], names))


def _by_empty(pictures: Sequence[np.ndarray], names: Sequence[str], empty: np.ndarray) -> Taken:
    plate = plate_from_empty(empty, pictures)
    evidence = plate_evidence(pictures, plate, EMPTY)
    return Taken(Choice(Road.EMPTY, "a photo of it is given"), evidence, _exposures([plate], names))


def _exposures(plates: Sequence[Plate], names: Sequence[str]) -> tuple[Notice, ...]:
    gains = np.concatenate([plate.gains for plate in plates])
    odd = np.flatnonzero((gains.min(axis=1) < _LEAST_GAIN) | (gains.max(axis=1) > _MOST_GAIN))
    if not len(odd):
        return ()
    text = (
        f"{first_few([names[k] for k in odd.tolist()])}: exposed otherwise than the rest ({gains.min():.2f} "
        f"to {gains.max():.2f} times as bright): taken into account. Fix the camera's exposure."
    )
    return (warning("masks", text),)
