"""Whether stated poses agree with the relative poses that the pairs suggest, and if not, why.

Every usual convention is tried by its relative poses, both turn and baseline, against those of the pairs;
then other orders of the views; then whether only some views are wrong. Where nothing surely is the cause,
none is named, only the contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from align.initial.loop_consistency import Triplets
from align.initial.pose_evidence import PoseEvidence, middle, pose_evidence
from align.initial.pose_explanations import CLEARLY, fitting, other_orders
from align.initial.pose_parts import PoseParts, PosesVerdict, is_close, judge_parts
from align.initial.relative_poses import RelativePoses
from masks.notice import first_few
from pairs.views.agreeing_views import agreeing_views
from pairs.views.pose_readings import PoseReading, Poses, read_as, readings_of, the_one

_DOUBTED_RAD, _WRONG_RAD = np.deg2rad(28.0), np.deg2rad(35.0)
"""Poses that are ten degrees off, each on its own, leave 14 degrees of turn and 20 of turn and baseline in
the middle over the pairs, 26 at the most over simulated scenes: a poor prior, which matches then mend, but
no wrong poses."""
_FAR_RAD, _LEAST_FAR_RAD, _SIGMAS = np.deg2rad(30.0), np.deg2rad(8.0), 3.0
_TIMES_USUAL, _BEST_SHARE = 6.0, 0.15
"""A pair is far off when it is so many times worse than the best ones: a seventh of all pairs is right even
where half of the views are wrong. The limits above hold for this, too."""
_OPEN_RAD, _MOST_OPEN, _MOST_DISAGREEMENT_RAD = np.deg2rad(20.0), 0.2, np.deg2rad(10.0)
"""Solved scenes have no loop of three pairs that misses closing by so much, with twice the usual noise an
eighth; look-alike sides leave half of them open."""
_STILL_RAD, _MOVES_RAD = np.deg2rad(3.0), np.deg2rad(10.0)


def judge_poses(
    pairs: RelativePoses,
    triplets: Triplets,
    stated: Mapping[int, np.ndarray],
    names: Sequence[str],
    sigma_rad: float,
) -> PosesVerdict:
    """Compare stated poses (4, 4), by view, with what the pairs say of the relative poses of these views.

    `names` are those of all views; `sigma_rad` is the standard deviation to which the poses are believed.
    Pairs that contradict one another, as those of look-alike sides do, accuse nobody.
    """
    views = sorted(stated)
    evidence = pose_evidence(pairs, triplets, views, len(names))
    if not len(evidence.pair):
        return PosesVerdict()
    matrices = np.stack([stated[view] for view in views])
    poses, mine = (matrices[:, :3, :3], matrices[:, :3, 3]), [names[view] for view in views]
    misfit = evidence.misfits(poses)
    contradiction = _contradiction(evidence, poses, mine)
    needed = evidence.cost(misfit) / CLEARLY
    readings = fitting(evidence, readings_of(poses), needed)
    orders = fitting(evidence, other_orders(pairs, triplets, poses, views, len(names)), needed)
    if readings or orders:
        return PosesVerdict(f"{contradiction} {_cause(evidence, poses, readings, orders, mine)}")
    prior = _SIGMAS * np.sqrt(2) * sigma_rad
    usual = _TIMES_USUAL * np.quantile(misfit, _BEST_SHARE)
    agrees = misfit <= np.clip(usual, max(_LEAST_FAR_RAD, prior), max(_FAR_RAD, prior))
    confirmed, doubted = agreeing_views(evidence.pair, evidence.weight, agrees, np.ones(len(views), bool))
    if not doubted.any() or not _pairs_agree(pairs, triplets):
        return PosesVerdict()
    if confirmed.sum() > 1 and is_close(evidence, poses, confirmed):
        verdict = judge_parts(evidence, poses, PoseParts(confirmed, doubted, agrees, needed), views, names)
        if verdict is not None:
            return verdict
    off = evidence.middle(misfit)
    if off < max(_DOUBTED_RAD, prior):
        return PosesVerdict()
    text = f"{contradiction} {_what_else(evidence, poses)}"
    return PosesVerdict(fault=text) if off >= max(_WRONG_RAD, prior) else PosesVerdict(doubt=text)


def _cause(
    evidence: PoseEvidence,
    poses: Poses,
    readings: Sequence[tuple[float, PoseReading]],
    orders: Sequence[tuple[float, np.ndarray]],
    names: Sequence[str],
) -> str:
    """Return as what poses agree where that is certain.

    It is not where several explanations fit alike: a ring in reverse order is also one in a mirror.
    """
    reading = the_one(readings)
    if reading is not None and not orders:
        return f"They agree when {read_as(reading)}"
    if readings:
        return _what_else(evidence, poses)
    text = "They agree with one another's views: poses and views are in different orders. Give each its own"
    if len(orders) > 1:  # as in a regular ring, where any view may be the first
        return f"{text}."
    moved = [f"that of {names[int(q)]} belongs to {names[k]}" for k, q in enumerate(orders[0][1]) if q != k]
    return f"{text}: {first_few(moved)}."


def _pairs_agree(pairs: RelativePoses, triplets: Triplets) -> bool:
    """Tell whether the pairs are at one with themselves, so that they may accuse poses."""
    weight = pairs.num_matches[triplets.edges].min(1)
    is_open = float(weight @ (triplets.angle_rad > _OPEN_RAD)) / max(float(weight.sum()), 1.0)
    # By matches, since pairs of opposite views, which share nothing, say anything; one for pairs without any.
    return (
        is_open <= _MOST_OPEN
        and middle(pairs.disagreement_rad, pairs.num_matches + 1) <= _MOST_DISAGREEMENT_RAD
    )


def _contradiction(evidence: PoseEvidence, poses: Poses, names: Sequence[str]) -> str:
    """Return by how much stated poses differ from the pairs', as a sentence."""
    turn, shift = (evidence.middle(values) for values in evidence.differences(poses))
    count = len(evidence.pair)
    where = f"in the middle of {count} pairs they differ" if count > 1 else "their pair differs"
    figures = f"{np.rad2deg(turn):.0f} degrees and {shift:.2f} times the object's distance"
    return f"the stated poses of {first_few(names)} contradict the pointmaps: {where} by {figures}."


def _what_else(evidence: PoseEvidence, poses: Poses) -> str:
    """Return what may be the cause where no reading surely is."""
    seen, stated = evidence.middle(evidence.turns()), evidence.middle(evidence.turns(poses[0]))
    if seen < _STILL_RAD and stated > _MOVES_RAD:
        figures = f"({np.rad2deg(seen):.1f} degrees a pair), as stated they do ({np.rad2deg(stated):.0f})"
        remedy = "If an object turns before a backdrop that stands still, give masks; else check the poses."
        return f"By the pointmaps the cameras hardly turn {figures}. {remedy}"
    question = "Are they those of these views, as cam_from_world in OpenCV axes?"
    return f"{question} Correct them, or leave them out: poses are found without."
