"""Which views matches tie together, and what the report says where that is not all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx

from align.measurements.gathered import Measurements, PairRecord, Ties
from masks.errors import GraphError
from masks.notice import Level, Notice, first_few, left_out, warning

_LEAST_MATCHES = 8
"""A few wrong matches must not tie two components: a pair with fewer counts only inside one that holds
together without it."""


@dataclass(frozen=True, slots=True)
class Components:
    """Connected components: sets of views that matches tie together, the largest first, of equal ones that of
    the first view; ascending indices.
    """

    views: tuple[tuple[int, ...], ...]
    notices: tuple[Notice, ...]
    """Of views and pairs that are in none."""


def connected_components(measurements: Measurements, ties: Ties = "matches") -> Components:
    """Return the components of two and more views that matches, or pointmaps alone, tie together. Raises
    `GraphError` when there is none.
    """
    names = [view.name for view in measurements.predictions.views]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(names)))
    if ties == "pointmaps":
        graph.add_edges_from((r.a, r.b) for r in measurements.records if _shows_points(r))
        notices = []
    else:
        graph.add_edges_from(
            (r.a, r.b, {"matches": len(r.conf)}) for r in measurements.records if len(r.conf)
        )
        # Bridges only: a weak pair inside a component that holds together without it does no harm.
        weak = [(a, b) for a, b in networkx.bridges(graph) if graph.edges[a, b]["matches"] < _LEAST_MATCHES]
        notices = [_too_few(names[a], names[b], graph.edges[a, b]["matches"]) for a, b in weak]
        graph.remove_edges_from(weak)
    found = sorted(
        (tuple(sorted(c)) for c in networkx.connected_components(graph)), key=lambda c: (-len(c), c)
    )
    text = f"no {ties} tie it to any other view. Check its mask and its pairs, or add pairs that link it."
    notices += [left_out(names[c[0]], text) for c in found if len(c) == 1]
    several = tuple(c for c in found if len(c) > 1)
    if not several:
        weakly_tied = [n for n in notices if n.level is Level.WARNING]
        reasons = " ".join(f"{n.subject}: {n.text}" for n in (*weakly_tied[:3], *measurements.notices[:3]))
        raise GraphError(
            f"no two views are tied by {ties} inside the masks. Check the masks, the pairs and the "
            f"predictions. {reasons}".strip()
        )
    return Components(several, tuple(notices))


def _shows_points(record: PairRecord) -> bool:
    """Tell whether a directed prediction of the pair shows points of its other view inside the mask."""
    cross = (record.b_in_a, record.a_in_b)
    return any(bool(c.conf.isfinite().any()) for c in cross if c is not None)


def _too_few(name: str, other: str, count: int) -> Notice:
    text = (
        f"{name} and {other}: {count} matches alone are not enough to tie their parts. Add pairs that link "
        "them."
    )
    return warning("pairs", text)


def require_ties(measurements: Measurements, ties: Ties) -> None:
    """Raise `GraphError` when matches, or pointmaps, tie no two views together."""
    connected_components(measurements, ties)


def all_together(measurements: Measurements) -> Components:
    """Return all views as one component, whatever matches say."""
    return Components((tuple(range(len(measurements.views))),), ())


def other_components(components: Components, chosen: int, names: Sequence[str]) -> list[Notice]:
    """Return what the report of one component says of the others; to users they are the parts of a scene."""
    if len(components.views) == 1:
        return []
    others = [
        f"part {k + 1} has {len(part)} ({first_few([names[v] for v in part])})"
        for k, part in enumerate(components.views)
        if k != chosen
    ]
    text = (
        f"no matches tie the views together: they fall into {len(components.views)} parts, each in a world "
        f"and a scale of its own. This is part {chosen + 1} with {len(components.views[chosen])} views; "
        f"{'; '.join(others)}. Add pairs that link them."
    )
    return [warning("parts", text)]
