"""Views whose stated poses are at one, and those whose poses are not with these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from align.initial.pose_evidence import PoseEvidence
from align.initial.pose_explanations import FITS_RAD, fitting
from align.rotations import nearest_rotation, rotation_angle
from masks.notice import first_few
from pairs.views.agreeing_views import agreeing_views
from pairs.views.pose_readings import EQUALLY, UNIQUELY, PoseReading, Poses, read_as, readings_of, the_one

_AT_ONE_RAD = np.deg2rad(10.0)
"""How far a view's pairs may differ on how it is turned: pairs of right views differ by 1 to 5 degrees."""
_COHERENT_SHARE, _LEAST_COHERENT = 0.75, 3
"""Views at the seam of two worlds agree with neither, and two views agree by chance."""


@dataclass(frozen=True, slots=True)
class PosesVerdict:
    """What the pairs say of stated poses."""

    fault: str = ""
    """Why they cannot be meant, as sentences; empty when they can."""
    doubt: str = ""
    """Why all of them are doubtful; empty when they are not."""
    doubted: Mapping[int, str] = field(default_factory=dict)
    """Single views whose pose contradicts those of the others, and what to do about it."""


@dataclass(frozen=True, slots=True)
class PoseParts:
    """Views that are at one, and those that are not with these."""

    confirmed: np.ndarray  # (G,) bool
    doubted: np.ndarray  # (G,) bool
    agrees: np.ndarray  # (E,) bool, pairs
    needed: float
    """Largest cost of what explains the contradiction."""


def judge_parts(
    evidence: PoseEvidence, poses: Poses, parts: PoseParts, views: Sequence[int], names: Sequence[str]
) -> PosesVerdict | None:
    """Return what is said where some views are at one and some are not with these; none where most are not,
    for no known reason.
    """
    lists = [
        first_few([names[views[int(k)]] for k in np.flatnonzero(part)])
        for part in (parts.confirmed, parts.doubted)
    ]
    text = f"the stated poses of {lists[1]} contradict those of {lists[0]}, by the pointmaps of their pairs."
    many, few = (
        fitting(evidence, _partly_changed(poses, p), parts.needed) for p in (parts.confirmed, parts.doubted)
    )
    if many and (not few or many[0][0] <= EQUALLY * few[0][0]):
        # Those that are at one may well be the wrong ones.
        reading = the_one(many) if not few or few[0][0] > UNIQUELY * many[0][0] else None
        return PosesVerdict(
            f"{text} " + (f"The latter agree when {read_as(reading)}" if reading else "Check both.")
        )
    reading = the_one(few)
    if parts.doubted.sum() > parts.confirmed.sum():
        return PosesVerdict(f"{text} The former agree when {read_as(reading)}") if reading else None
    if not few and _coherent(evidence, poses, parts):
        return PosesVerdict(
            f"{text} Each part agrees within. Are all in one world? Else leave out those of one part."
        )
    doubted = [int(k) for k in np.flatnonzero(parts.doubted)]
    if reading is not None:
        return PosesVerdict(doubted={views[k]: f"It agrees when {read_as(reading)}" for k in doubted})
    sure = [k for k in doubted if _sure(evidence, poses, parts, k)]
    return PosesVerdict(doubted={views[k]: "Check it." for k in sure})


def _partly_changed(poses: Poses, part: np.ndarray) -> list[tuple[PoseReading, Poses]]:
    """Return poses of which those of some views (G,) bool are read otherwise."""
    found = []
    for reading, (R, t) in readings_of(poses):
        mixed = np.where(part[:, None, None], R, poses[0]), np.where(part[:, None], t, poses[1])
        found.append((reading, mixed))
    return found


def is_close(evidence: PoseEvidence, poses: Poses, part: np.ndarray) -> bool:
    """Tell whether the poses of some views (G,) bool agree so well that others may be measured by them."""
    inner = evidence.among(part)
    return len(inner.pair) > 0 and inner.middle(inner.misfits(poses)) <= FITS_RAD


def _coherent(evidence: PoseEvidence, poses: Poses, parts: PoseParts) -> bool:
    """Tell whether the doubted poses are at one, too, and several pairs say that they are not with the
    others.
    """
    second, _ = agreeing_views(evidence.pair, evidence.weight, parts.agrees, parts.doubted)
    one, other = evidence.pair.T
    across = (second[one] & parts.confirmed[other]) | (second[other] & parts.confirmed[one])
    large = second.sum() >= min(_LEAST_COHERENT, parts.confirmed.sum())
    most = second.sum() >= _COHERENT_SHARE * parts.doubted.sum()
    return bool(large and most and across.sum() > 1) and is_close(evidence, poses, second)


def _sure(evidence: PoseEvidence, poses: Poses, parts: PoseParts, view: int) -> bool:
    """Tell whether it is a view's pose that is wrong, and not its pairs: a network that misjudges a view
    contradicts itself.

    So several pairs with confirmed views must be at one on how it is turned. Where there are not several,
    it must agree with no neighbour at all.
    """
    (i, j), R = evidence.pair.T, poses[0]
    first, second = (i == view) & parts.confirmed[j], (j == view) & parts.confirmed[i]
    to_first, to_second = evidence.R_i_from_j[first], evidence.R_i_from_j[second].transpose(0, 2, 1)
    implied = np.concatenate([to_first @ R[j[first]], to_second @ R[i[second]]])
    if len(implied) < 2:
        own = (evidence.pair == view).any(1)
        return bool(own.sum() > 1) and not parts.agrees[own].any()
    off = rotation_angle(implied @ nearest_rotation(implied.sum(0)).T)
    return bool(np.median(off) < _AT_ONE_RAD)
