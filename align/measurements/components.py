"""Which views matches tie together, and what the report says where that is not all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx

from align.measurements.gathered import Measurements
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


def connected_components(measurements: Measurements) -> Components:
    """Return the components of two and more views. Raises `GraphError` when there is none."""
    names = [view.name for view in measurements.predictions.views]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(names)))
    graph.add_edges_from((r.a, r.b, {"matches": len(r.conf)}) for r in measurements.records if len(r.conf))
    # Bridges only: a weak pair inside a component that holds together without it does no harm.
    weak = [(a, b) for a, b in networkx.bridges(graph) if graph.edges[a, b]["matches"] < _LEAST_MATCHES]
    notices = [_too_few(names[a], names[b], graph.edges[a, b]["matches"]) for a, b in weak]
    graph.remove_edges_from(weak)
    found = sorted(
        (tuple(sorted(c)) for c in networkx.connected_components(graph)), key=lambda c: (-len(c), c)
    )
    text = "no matches tie it to any other view. Check its mask and its pairs, or add pairs that link it."
    notices += [left_out(names[c[0]], text) for c in found if len(c) == 1]
    several = tuple(c for c in found if len(c) > 1)
    if not several:
        weakly_tied = [n for n in notices if n.level is Level.WARNING]
        reasons = " ".join(f"{n.subject}: {n.text}" for n in (*weakly_tied[:3], *measurements.notices[:3]))
        raise GraphError(
            "no two views are tied by matches inside the masks. Check the masks, the pairs and the "
            f"predictions. {reasons}".strip()
        )
    return Components(several, tuple(notices))


def _too_few(name: str, other: str, count: int) -> Notice:
    text = (
        f"{name} and {other}: {count} matches alone are not enough to tie their parts. Add pairs that link "
        "them."
    )
    return warning("pairs", text)


def require_matches(measurements: Measurements) -> None:
    """Raise `GraphError` when matches tie no two views together."""
    connected_components(measurements)


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
