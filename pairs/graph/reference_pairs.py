"""The reference's own pair lists, in its own grammar and order
(docs/pair_networks.md, "The reference's pair lists").

For parity with published runs; no command uses it: `pairs.graph.scene_graphs` is what they have.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from masks.errors import GraphError
from masks.reading import shown
from pairs.graph.by_similarity import retrieval_pairs

Pairs = list[tuple[int, int]]

_DEFAULT_WINDOW = 3


def reference_pairs(
    text: str,
    num_views: int,
    symmetrize: bool = False,
    prefilter: str | None = None,
    similarity: np.ndarray | None = None,
    first_anchor: int = 0,
) -> Pairs:
    """Return the ordered pairs of a scene-graph string such as `complete`, `swin-5-noncyclic`, `oneref-2` or
    `retrieval-20-10`.

    Windowed lists are in ascending order. A cyclic window that reaches around to the view itself pairs it
    with itself, as in the reference. `prefilter` is `seq<t>` or `cyc<t>`; `similarity` (V, V) and
    `first_anchor` serve retrieval only.
    """
    if text == "complete":
        # The larger index first, as published: the order decides whose camera is the frame of a run.
        pairs = [(a, b) for a in range(num_views) for b in range(a)]
    elif text.startswith("swin"):
        size, cyclic = _window(text)
        # Offsets that reach around bring nothing new.
        pairs = _windowed(num_views, range(1, min(size, num_views) + 1), cyclic)
    elif text.startswith("logwin"):
        size, cyclic = _window(text)
        # Nor do powers of two, modulo the number of views, after as many steps as there are views.
        powers = [2**k for k in range(min(size, num_views + num_views.bit_length()))]
        pairs = [
            pair
            for pair in _windowed(num_views, [*powers, *(-power for power in powers)], cyclic)
            if pair[0] != pair[1]
        ]
    elif text.startswith("oneref"):
        centre = _integer(text, 1) if "-" in text else 0
        pairs = [(centre, view) for view in range(num_views) if view != centre]
    elif text.startswith("retrieval"):
        pairs = _retrieved(text, similarity, first_anchor)
    else:
        raise GraphError(
            f"{shown(text)} is not a scene graph of the reference. It knows complete, swin, logwin, oneref "
            "and retrieval."
        )
    if symmetrize:
        pairs = pairs + [(b, a) for a, b in pairs]
    return _filtered(pairs, prefilter) if prefilter else pairs


def _window(text: str) -> tuple[int, bool]:
    """Return size and cyclicity; a size that isn't a number silently becomes 3."""
    field = [*text.split("-"), ""][1]
    try:
        size = int(field)
    except ValueError:
        size = _DEFAULT_WINDOW
    return size, not text.endswith("noncyclic")


def _windowed(num_views: int, offsets: Iterable[int], cyclic: bool) -> Pairs:
    """Return (min, max) of every view with those at the offsets, once each, ascending."""
    found = set()
    for offset in offsets:
        for view in range(num_views):
            other = (view + offset) % num_views if cyclic else view + offset
            if 0 <= other < num_views:
                found.add((min(view, other), max(view, other)))
    return sorted(found)


def _retrieved(text: str, similarity: np.ndarray | None, first_anchor: int) -> Pairs:
    fields = text.split("-")
    if len(fields) != 3 or similarity is None:
        raise GraphError(
            f"{shown(text)}: retrieval is written retrieval-KEYS-NEIGHBOURS and needs a similarity matrix."
        )
    return retrieval_pairs(similarity, _integer(text, 1), _integer(text, 2), first_anchor)


def _integer(text: str, position: int) -> int:
    """Return one field of a scene-graph string as a number."""
    field = text.split("-")[position]
    try:
        return int(field)
    except ValueError:
        raise GraphError(
            f"{shown(text)}: {shown(field)} is not a number. Write it as in oneref-2 or retrieval-20-10."
        ) from None


def _filtered(pairs: Pairs, prefilter: str) -> Pairs:
    """Return the pairs of views at most so many positions apart; anything but `seq` and `cyc` keeps all."""
    kind, rest = prefilter[:3], prefilter[3:]
    if kind not in ("seq", "cyc"):
        return pairs
    try:
        farthest = int(rest)
    except ValueError:
        raise GraphError(
            f"the prefilter {shown(prefilter)} has no distance. Write it as in seq5 or cyc5."
        ) from None
    # Modulo the largest index that occurs, as published. The number of images is larger where the last ones
    # have no pair.
    around = 1 + max((max(pair) for pair in pairs), default=0)
    kept = []
    for a, b in pairs:
        apart = min(abs(a - b), abs(a + around - b), abs(a - around - b)) if kind == "cyc" else abs(a - b)
        if apart <= farthest:
            kept.append((a, b))
    if not kept:
        raise GraphError(f"the prefilter {prefilter!r} leaves no pair. Allow a larger distance.")
    return kept
