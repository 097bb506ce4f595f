"""What a solution says against itself, without any truth (docs/bundle_alignment.md, "Consistency checks")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from align.agreement import Agreement, agreement_notices, agreement_of
from align.bundle.intrinsics import SharedIntrinsics
from align.bundle.observations import Observations
from align.bundle.reprojection import BundleState, project_observations, squared_errors
from align.initial.loop_consistency import Triplets
from align.initial.relative_poses import RelativePoses
from align.initial.start import Start
from masks.notice import Notice, first_few, left_out, warning

_OPEN_RAD = np.deg2rad(20.0)
_MOST_REJECTED, _MOST_OPEN = 0.15, 0.2
"""Solved scenes have at most 0.12 of both, even at twice the usual noise; three wrong ones of an object with
alike sides 0.18 to 0.29 and 0.35 to 0.48, while 85 % of their matches agree."""
_DOUBTFUL_SHARE = 0.25
"""With more than half of the matches wrong, solved scenes still have 0.31."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """Shares of what agrees and what does not."""

    agreement: Agreement
    """Of the observations."""
    rejected_share: float
    """Of all matches, those of rejected pairs."""
    open_share: float
    """Of the triplets, those that miss closing by more than 20 degrees, each weighted by the fewest matches
    of its pairs."""
    open_pairs: np.ndarray  # (E,)
    """How much of `open_share` each pair has a part in."""

    @property
    def contradictory(self) -> bool:
        """Whether pairs disagree as they do on repeated sides: then the result is not to be trusted, however
        well it fits.
        """
        return self.open_share > _MOST_OPEN or self.rejected_share > _MOST_REJECTED

    def figures(self) -> dict[str, Any]:
        """Return the shares by name, ready for JSON."""
        return self.agreement.figures() | {
            "share of matches in rejected pairs": self.rejected_share,
            "share of open triangles": self.open_share,
        }


def check_consistency(
    obs: Observations,
    intrinsics: SharedIntrinsics,
    state: BundleState,
    pairs: RelativePoses,
    start: Start,
    triplets: Triplets,
) -> Consistency:
    """Measure how far observations, pairs and triplets agree."""
    error = np.sqrt(squared_errors(project_observations(obs, intrinsics, state)))
    source = np.repeat(obs.direction[:, 0], np.diff(obs.direction_start))
    # A triplet says no more than its weakest pair.
    matches, weight = pairs.num_matches, pairs.num_matches[triplets.edges].min(1)
    is_open = weight * (triplets.angle_rad > _OPEN_RAD)
    total = max(float(weight.sum()), 1.0)
    return Consistency(
        agreement=agreement_of(torch.from_numpy(error), torch.from_numpy(source), obs.num_views),
        rejected_share=float(matches[start.rejected].sum() / max(matches.sum(), 1.0)),
        open_share=float(is_open.sum() / total),
        open_pairs=np.bincount(triplets.edges.ravel(), np.repeat(is_open, 3), len(matches)) / total,
    )


def consistency_notices(
    consistency: Consistency, pairs: RelativePoses, start: Start, names: Sequence[str]
) -> tuple[Notice, ...]:
    """Return what the report must say: contradictory and rejected pairs, then what the matches say of scene
    and views, by name.
    """
    notices = []
    if consistency.contradictory:
        blamed = start.rejected if start.rejected.any() else _most_open(consistency)
        text = (
            f"these pairs disagree: {_named(pairs.pair[blamed], names)}. The object may have sides that "
            "look alike: do not trust the result. Leave such pairs out, or mark the object so that its sides "
            "differ."
        )
        notices.append(warning("alignment", text))
    elif start.rejected.any():
        text = (
            "the others contradict the turn of these by more than 10 degrees: "
            f"{_named(pairs.pair[start.rejected], names)}."
        )
        notices.append(left_out("pairs", text))
    if len(pairs.without_pose):
        text = (
            f"no pose follows from the pointmaps of {_named(pairs.without_pose, names)}: only their matches "
            "count. Look at what the network said."
        )
        notices.append(warning("pairs", text))
    if start.rejection_skipped:
        text = (
            "some contradict the others, but without them the views would fall apart: all were kept. Add "
            "pairs."
        )
        notices.append(warning("pairs", text))
    return (*notices, *agreement_notices(consistency.agreement, names, _DOUBTFUL_SHARE))


def _most_open(consistency: Consistency) -> np.ndarray:
    """Return the pairs (E,) bool that take part in the most open triplets."""
    return consistency.open_pairs >= max(consistency.open_pairs.max(initial=0) / 2, 1e-12)


def _named(pair: np.ndarray, names: Sequence[str]) -> str:
    """Return pairs (E, 2) by the names of their views, the first few."""
    return first_few([f"{names[a]} and {names[b]}" for a, b in pair])
