"""Photos placed in a scene that a map knows: scene points found in each, then its pose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from align.localise.absolute_pose import AbsolutePose, PoseOptions, absolute_pose
from align.localise.data_set import LocalisationSet, open_maps, open_query
from align.localise.scene_points import Correspondences, MatchMaps


@dataclass(frozen=True, slots=True)
class LocalisationOptions:
    """What is asked of a pose."""

    pose: PoseOptions = field(default_factory=PoseOptions)
    most_points: int = 100_000
    """Correspondences that the pose is estimated from; of more, these many are drawn."""


@dataclass(frozen=True, slots=True)
class Localised:
    """One query."""

    name: str
    pose: AbsolutePose | None
    """None when it could not be placed."""
    num_correspondences: int


def localise(
    data: LocalisationSet, match: MatchMaps, options: LocalisationOptions | None = None
) -> Iterator[Localised]:
    """Yield the queries as soon as they are placed, in the order of their lists. A query without candidates
    is not placed.
    """
    options = options or LocalisationOptions()
    for name, camera in data.queries.items():
        found = joined(list(match(open_query(data, name), open_maps(data, name))))
        chosen = some_of(found, options.most_points, options.pose.seed)
        pose = absolute_pose(chosen.points, chosen.xy, camera, options.pose)
        yield Localised(name, pose, len(found.conf))


def joined(parts: Sequence[Correspondences]) -> Correspondences:
    """Return the correspondences of all map photos, in their order."""
    nothing = Correspondences(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0))
    return Correspondences(
        *(np.concatenate([getattr(part, name) for part in (nothing, *parts)]) for name in nothing.__slots__)
    )


def some_of(found: Correspondences, most: int, seed: int) -> Correspondences:
    """Return at most so many correspondences, drawn at random, in their order."""
    if len(found.conf) <= most:
        return found
    drawn = np.sort(np.random.default_rng(seed).choice(len(found.conf), most, replace=False))
    return Correspondences(found.points[drawn], found.xy[drawn], found.conf[drawn])
