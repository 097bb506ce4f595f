"""Folded scenes, told by their silhouettes: groups of views that fit within themselves and not each other."""

from __future__ import annotations

import numpy as np

from align.scene import Scene
from masks.notice import Notice, first_few, warning
from pairs.rings.outline import outline_of
from pairs.rings.splitting import cut_folds
from pairs.views.cameras import Cameras

_LEAST_VIEWS = 6
"""Two groups of three are the least that can contradict each other."""


def fold_notices(scene: Scene) -> tuple[Notice, ...]:
    """Return a warning that names the smaller groups of a scene whose masks fall apart into groups, whatever
    placed its views.

    The median of each view over all others does not see a fold in two halves: it lies among those that fit.
    """
    outlines = {k: outline_of(view.mask) for k, view in enumerate(scene.views) if not view.mask.all()}
    shown = {k: outline for k, outline in outlines.items() if outline is not None}
    if len(shown) < _LEAST_VIEWS:
        return ()
    index = np.array(list(shown))
    cameras = Cameras(scene.cameras.K[index], scene.cameras.cam_from_world[index])
    groups = cut_folds(cameras, list(shown.values())).pieces[1:]
    if not groups:
        return ()
    listed = "; ".join(first_few([scene.views[k].name for k in index[group]]) for group in groups)
    text = (
        f"{listed}: their outlines fit each other and contradict those of the other views. The scene is "
        "folded there, as sides that look alike do it: do not trust how these views stand to the rest."
    )
    return (warning("silhouettes", text),)
