"""Folded scenes, told by their silhouettes: groups of views that fit within themselves and not each other."""

from __future__ import annotations

from align.objects.outlined import outlined
from align.scene import Scene
from masks.notice import Notice, first_few, warning
from pairs.rings.splitting import cut_folds

_LEAST_VIEWS = 6
"""Two groups of three are the least that can contradict each other."""


def fold_notices(scene: Scene) -> tuple[Notice, ...]:
    """Return a warning that names the smaller groups of a scene whose masks fall apart into groups, whatever
    placed its views.

    The median of each view over all others does not see a fold in two halves: it lies among those that fit.
    """
    seen = outlined(scene)
    if len(seen.index) < _LEAST_VIEWS:
        return ()
    groups = cut_folds(seen.cameras, seen.outlines).pieces[1:]
    if not groups:
        return ()
    listed = "; ".join(first_few([scene.views[k].name for k in seen.index[group]]) for group in groups)
    text = (
        f"{listed}: their outlines fit each other and contradict those of the other views. The scene is "
        "folded there, as sides that look alike do it: do not trust how these views stand to the rest."
    )
    return (warning("silhouettes", text),)
