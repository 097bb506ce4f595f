"""Which views matches tie together, and what the report says where that is not all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx

from align.measurements.gathered import Measurements
from masks.errors import GraphError
from masks.notice import Level, Notice, first_few, left_out, warning

_LEAST_MATCHES = 8
"""A few wrong matches must not tie two parts: a pair with fewer counts only inside a part that holds together
without it."""


@dataclass(frozen=True, slots=True)
class Components:
    """Sets of views that matches tie together, the largest first, of equal ones that of the first view;
    ascending indices.
    """

    views: tuple[tuple[int, ...], ...]
    notices: tuple[Notice, ...]
    """Of views and pairs that are in no part."""


def connected_components(measurements: Measurements) -> Components:
    """Return the parts of two and more views. Raises `GraphError` when there is none."""
    names = [view.name for view in measurements.predictions.views]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(names)))
    graph.add_edges_from((r.a, r.b, {"matches": len(r.conf)}) for r in measurements.records if len(r.conf))
    weak = [(a, b) for a, b in networkx.bridges(graph) if graph.edges[a, b]["matches"] < _LEAST_MATCHES]
    counts = [graph.edges[pair]["matches"] for pair in weak]
    graph.remove_edges_from(weak)
    notices = [
        warning(
            "pairs",
            (
                f"{names[a]} and {names[b]}: {count} matches alone are not enough to tie their parts. Add "
                "pairs that link them."
            ),
        )
        for (a, b), count in zip(weak, counts)
    ]
    components = sorted(
        (tuple(sorted(c)) for c in networkx.connected_components(graph)), key=lambda c: (-len(c), c)
    )
    for (alone,) in (c for c in components if len(c) == 1):
        notices.append(
            left_out(
                names[alone],
                (
                    "no matches tie it to any other view. Check its mask and its pairs, or add pairs that "
                    "link it."
                ),
            )
        )
    parts = tuple(c for c in components if len(c) > 1)
    if not parts:
        weakly_tied = [n for n in notices if n.level is Level.WARNING]
        reasons = " ".join(f"{n.subject}: {n.text}" for n in (*weakly_tied[:3], *measurements.notices[:3]))
        raise GraphError(
            (
                "no two views are tied by matches inside the masks. Check the masks, the pairs and "
                f"the predictions. {reasons}"
            ).strip()
        )
    return Components(parts, tuple(notices))


def other_components(components: Components, chosen: int, names: Sequence[str]) -> list[Notice]:
    """Return what the report of one part says of the others."""
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
