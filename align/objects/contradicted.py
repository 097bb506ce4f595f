"""Masks that the masks of all other views contradict (docs/masks.md, "Masks against cameras")."""

from __future__ import annotations

import numpy as np

from align.objects.hull import hull_of, shares_cut
from align.objects.volume import covering, volume_of
from align.points import point_cloud
from align.scene import Scene
from masks.notice import Notice, first_few, warning

_FEWEST = 5
"""Views: fewer leave room for anything."""
_SURE = 1.5
_MOST = 0.005
"""Share of a mask for which the other views leave no room: right masks before right cameras have 0.000 (made
ones 0.0017), the mask of the next photo 0.002 to 0.014, of one 60 degrees further 0.09, a mirrored one 0.06
to 0.46."""
_SCENE_IS_WRONG = 0.01
"""In the median: beyond it the cameras contradict the masks, which is said elsewhere."""


def contradicted_masks(scene: Scene) -> tuple[Notice, ...]:
    """Return a warning that names the views whose masks have parts for which the others leave no room."""
    masks = [view.mask for view in scene.views]
    if len(masks) < _FEWEST or all(mask.all() for mask in masks):
        return ()
    points = point_cloud(scene, _SURE).points
    if not len(points):
        return ()
    volume = covering(volume_of(points), masks, scene.cameras)
    shares = np.nan_to_num(shares_cut(masks, hull_of(masks, scene.cameras, volume)))
    wrong = [int(k) for k in np.argsort(-shares) if shares[k] > _MOST]
    if not wrong or np.median(shares) > _SCENE_IS_WRONG:
        return ()
    named = first_few([f"{scene.views[k].name} ({shares[k]:.1%})" for k in wrong])
    text = (
        f"{named}: of so much of their masks the masks of all other views show nothing. They are masks of "
        "something else, or their cameras are wrong."
    )
    return (warning("silhouettes", text),)
