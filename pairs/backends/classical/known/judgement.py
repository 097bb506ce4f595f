"""Whether stated poses are those of the photos (docs/known_poses.md, "What is compared").

The conventions in which poses are written cannot be seen in a file. The matches of the photos tell them
apart: read wrongly, poses leave them ten to a thousand times further off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from masks.notice import first_few
from pairs.backends.classical.known.match_evidence import MatchEvidence
from pairs.views.agreeing_views import agreeing_views
from pairs.views.pose_readings import UNIQUELY, PoseReading, Poses, read_as, readings_of, the_one

SURE_PX = 1.0
"""Poses that leave the matches so near are asked no more: true ones leave 0.13 to 0.23 px on the measured
sets, read wrongly at least 1.05."""
FIXED_MOST_PX = 6.0
"""Poses that leave more cannot stay as they are: points are only triangulated within 2 px. Errors of 0.1
degrees leave 1.3 to 4 px."""
SOFT_MOST_RAD = np.deg2rad(2.0)
"""Poses that leave more are improved no more: errors of 1 degree leave 0.5 to 1."""
_LEAST_PX = 0.3
"""Distances below this are not compared: they are the key points' own."""
_CLEARLY = 4.0
_TIMES_USUAL, _BEST_SHARE, _LEAST_LIMIT_PX = 6.0, 0.15, 2.0
"""A pair is off when it is so many times worse than the best ones: a seventh of all pairs is right even
where half of the views are wrong."""
_LEAST_SHARE = 0.4
"""Of the views; fewer agree with one another by chance, and accuse nobody."""
_MOST_ORDERS = 100
"""Views up to which every order of one after the other is tried."""

_Named = TypeVar("_Named")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the matches say of stated poses."""

    distance_px: float
    """Of the matches from where the poses put them, median over pairs, in working pixels."""
    fault: str = ""
    """Why they cannot be meant, as sentences; empty when they can."""
    doubted: Mapping[int, str] = field(default_factory=dict)
    """Positions of single views whose pose contradicts those of the others, and what to do about it."""
    read_as: str = ""
    """The one convention in which all poses fit, by its words; empty where there is none."""


def judge(
    evidence: MatchEvidence, poses: Poses, names: Sequence[str], most_px: float, rough: bool = False
) -> Judgement:
    """Compare stated poses of G views with their verified matches; `names` are those of the views.

    Poses are believed to leave the matches no more than `most_px` away. `rough`: intrinsics are guesses, so
    that small differences between views accuse nobody.
    """
    misfit = evidence.misfits(poses)
    off = evidence.middle(misfit)
    if off > SURE_PX:
        readings = _fitting(evidence, readings_of(poses), off, most_px)
        orders = [] if readings else _fitting(evidence, _other_orders(poses), off, most_px)
        if readings or orders:
            text = f"{_contradiction(evidence, off, names)} {_cause(readings)}"
            reading = the_one(readings) if readings else None
            return Judgement(off, text, read_as=reading.words if reading is not None else "")
    usual = max(_TIMES_USUAL * evidence.middle(misfit, _BEST_SHARE), _LEAST_LIMIT_PX)
    # Noise alone puts a seventh of the pairs beyond twice the median, and hardly any beyond four times.
    sure = most_px if off > most_px else max(most_px, _CLEARLY * off)
    for limit in (sure,) if rough else dict.fromkeys((min(usual, most_px), sure)):
        parts = agreeing_views(evidence.pair, evidence.weight, misfit <= limit, np.ones(len(names), bool))
        if parts[0].sum() > 1 and parts[1].any():
            readings = _readings_of_part(evidence, poses, *parts, most_px)
            # Below the limit only what explains the difference accuses: the rest may be noise.
            by_chance = off > most_px and parts[0].sum() < _LEAST_SHARE * len(names)
            if readings or (limit == sure and not by_chance):
                return _judged_parts(*parts, readings, off, names)
    if off <= most_px:
        return Judgement(off)
    return Judgement(
        off,
        f"{_contradiction(evidence, off, names)} No usual convention and no other order explains them: they "
        "are poses of other photos, or far less accurate than needed (`poses=soft` allows for a degree).",
    )


def _fitting(
    evidence: MatchEvidence, candidates: Iterable[tuple[_Named, Poses]], off_px: float, most_px: float
) -> list[tuple[float, _Named]]:
    """Return the candidates that explain the matches clearly better than poses that leave them `off_px`
    away, with their distance; the best first, no far worse ones.
    """
    needed = min(max(off_px / _CLEARLY, _LEAST_PX), most_px)
    first_look, found = evidence.thinned(), []
    for name, poses in candidates:
        if first_look.middle(first_look.misfits(poses)) > 2 * needed:
            continue
        distance = max(evidence.middle(evidence.misfits(poses)), _LEAST_PX)
        if distance <= needed:
            found.append((distance, name))
    found.sort(key=lambda f: f[0])
    return [f for f in found if f[0] <= UNIQUELY * found[0][0]]


def _other_orders(poses: Poses) -> Iterator[tuple[None, Poses]]:
    """Yield the poses shifted along the list of files, and reversed: as when photos were added, or files
    sort otherwise.
    """
    count = len(poses[0])
    for order in (np.arange(count), np.arange(count)[::-1]):
        for shift in range(count if count <= _MOST_ORDERS else 1):
            moved = np.roll(order, shift)
            if (moved != np.arange(count)).any():
                yield None, (poses[0][moved], poses[1][moved])


def _cause(readings: Sequence[tuple[float, PoseReading]], whose: str = "They agree") -> str:
    """Return as what poses agree, as a sentence; in another order where no reading is named."""
    if not readings:
        return (
            f"{whose} with one another's photos: poses and photos are in different orders. Give each photo "
            "its own pose."
        )
    reading = the_one(readings)
    likely = [reading] if reading is not None else [each for _, each in readings[:2]]
    return f"{whose} when " + " Or when ".join(read_as(each) for each in likely)


def _readings_of_part(
    evidence: MatchEvidence, poses: Poses, confirmed: np.ndarray, doubted: np.ndarray, most_px: float
) -> list[tuple[float, PoseReading]]:
    """Return in which readings of the doubted views' poses (G,) bool all agree."""
    asked = confirmed | doubted
    mine = np.asarray(doubted[evidence.pair].any(1) & asked[evidence.pair].all(1))
    of_doubted = evidence.among(mine)
    mixed = [
        (reading, (np.where(doubted[:, None, None], R, poses[0]), np.where(doubted[:, None], t, poses[1])))
        for reading, (R, t) in readings_of(poses)
    ]
    return _fitting(of_doubted, mixed, of_doubted.middle(of_doubted.misfits(poses)), most_px)


def _judged_parts(
    confirmed: np.ndarray,
    doubted: np.ndarray,
    readings: Sequence[tuple[float, PoseReading]],
    off: float,
    names: Sequence[str],
) -> Judgement:
    """Return what is said where the poses of some views (G,) bool are at one, and some are not with these."""
    if not _many(doubted, confirmed):
        remark = _cause(readings, "It agrees") if readings else "Check it, or leave it out."
        return Judgement(off, doubted={int(k): remark for k in np.flatnonzero(doubted)})
    lists = [first_few([names[int(k)] for k in np.flatnonzero(part)]) for part in (doubted, confirmed)]
    cure = (
        _cause(readings, "The former agree")
        if readings
        else "Are all poses of one world, and of these photos? Correct the wrong ones, or leave them out."
    )
    text = f"the stated poses of {lists[0]} contradict those of {lists[1]}, by the matches of the photos."
    return Judgement(off, f"{text} {cure}")


def _many(doubted: np.ndarray, confirmed: np.ndarray) -> bool:
    """Tell whether so many views are doubted that nothing is made of the others."""
    return 3 * int(doubted.sum()) >= int((doubted | confirmed).sum())


def _contradiction(evidence: MatchEvidence, off: float, names: Sequence[str]) -> str:
    count = len(evidence.pair)
    return (
        f"the stated poses of {first_few(names)} contradict the photos: matches of {count} pairs lie "
        f"{off:.0f} px from where the poses put them."
    )
