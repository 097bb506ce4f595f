"""Views that repeat one another: frames of a film that pauses, double shots
(docs/classical_backend.md, "Repeated views").

What stands still between them says nothing of a backdrop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import networkx
import numpy as np

from masks.notice import Notice, first_few, info
from pairs.backends.classical.sfm.matching import Pair
from pairs.views.view import View

# Frames of one stop, with fresh noise and compression: 0.99 and more. Neighbours of a turntable before a loud
# backdrop reach 0.95, which is why pictures are compared besides.
_STILL_SHARE = 0.9
_FEWEST = 30
"""Still matches of a repeat: a few are an accident of far views."""
_LONGEST = 160
"""Long side of the small pictures that are compared: noise and compression vanish on it."""
# Grey values that a pixel of the small picture may differ by. Noise of 10 leaves 2.5 there; one that shows
# another part of a turned object differs by 30 to 60.
_SAME, _CHANGED_SHARE = 16, 0.002


def repeated_views(
    views: Sequence[View], xy: Sequence[np.ndarray], matches: Mapping[Pair, np.ndarray], still_px: float
) -> tuple[int, ...]:
    """Return for each view the first view that it repeats: itself where it repeats none.

    `xy` are the key points (N, 2) of each view in working pixels, `matches` index pairs (M, 2). A repeat is a
    pair in which nearly all matches moved less than `still_px`, and whose pictures show no change: before a
    backdrop that stands still, an object that turned shows another side.
    """
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(views)))
    small: dict[int, np.ndarray] = {}
    for (a, b), m in matches.items():
        still = np.linalg.norm(xy[a][m[:, 0]] - xy[b][m[:, 1]], axis=1) < still_px
        if still.sum() < max(_FEWEST, _STILL_SHARE * len(m)):
            continue
        for k in (a, b):
            if k not in small:
                small[k] = _small(views[k])
        if _unchanged(small[a], small[b]):
            graph.add_edge(a, b)
    first = list(range(len(views)))
    for group in networkx.connected_components(graph):
        leaders: list[int] = []
        for view in sorted(group):
            # Not through others: each frame of a slow turn repeats the one before, and the last shows
            # another side.
            same = (k for k in leaders if graph.has_edge(k, view) or _unchanged(small[k], small[view]))
            first[view] = next(same, view)
            if first[view] == view:
                leaders.append(view)
    return tuple(first)


def repeat_notices(views: Sequence[View], first: Sequence[int]) -> tuple[Notice, ...]:
    """Return a remark that names the views of each group; none where no view repeats another."""
    groups: dict[int, list[str]] = {}
    for view, leader in zip(views, first):
        groups.setdefault(leader, []).append(view.name)
    repeated = [first_few(names, " = ") for names in groups.values() if len(names) > 1]
    if not repeated:
        return ()
    text = (
        f"{len(views)} photos show {len(groups)} different views, the others repeat one: "
        f"{first_few(repeated, '; ')}. They stand at one place and add little to it."
    )
    return (info("repeated views", text),)


def _small(view: View) -> np.ndarray:
    h, w = view.image.shape[:2]
    factor = min(1.0, _LONGEST / max(h, w))
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    small = cv2.resize(view.image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return cv2.GaussianBlur(small, (0, 0), 0.7)


def _unchanged(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    # The light may flicker from frame to frame.
    difference = np.abs(a - b - np.median(a - b, axis=(0, 1))).max(-1)
    return float((difference > _SAME).mean()) <= _CHANGED_SHARE
