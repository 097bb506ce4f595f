"""What can be wrong with the input of a mesh, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from align.meshes.field.base import Planes
from align.meshes.field.lattice import SIDE, DistanceField, blocks_of
from align.meshes.field.silhouettes import Believed
from align.meshes.field.votes import ViewVotes
from align.meshes.mesh import ObjectMesh
from align.meshes.surface import area_of_faces
from align.scene import Scene
from masks.errors import MaskError, UserError
from masks.notice import Notice, first_few, info, left_out, warning
from pairs.silhouettes.visual_hull import Lattice
from pairs.views.cameras import Cameras

_LEAST_SPREAD_DEG = 20.0
"""Between the directions from which cameras see the object: from less, hull and base have no meaning."""
_MOST_WRONG = 1 / 3
"""Share of the silhouettes that may contradict the others: of more, nobody knows which are right."""
_ON_PLANE = 1.0
"""Voxels before a plane that closes the base within which the surface is that plane."""
_MUCH_UNSEEN = 0.3
"""Share of the surface apart from the base."""


def checked_masks(scene: Scene, masks: Sequence[np.ndarray] | None) -> tuple[np.ndarray, ...]:
    """Return the masks of all views. Raises `MaskError` where their number or a size is not that of the
    views.
    """
    if masks is None:
        return tuple(view.mask for view in scene.views)
    if len(masks) != len(scene.views):
        raise MaskError(f"{len(masks)} masks for {len(scene.views)} views. Give one for each view.")
    for view, mask in zip(scene.views, masks):
        w, h = view.pixel_map.ideal_size
        if mask.shape not in ((h, w), view.mask.shape):
            own = f"{mask.shape[1]}x{mask.shape[0]}"
            raise MaskError(
                f"{view.name}: the mask is {own}, and the photo {w}x{h}. Give the masks that the scene was "
                "made with."
            )
    return tuple(masks)


def require_spread(cameras: Cameras, around: Lattice) -> None:
    """Raise `UserError` where all cameras see the object from nearly the same side."""
    middle = around.origin + around.spacing * (np.array(around.shape) - 1) / 2
    towards = cameras.centres - middle
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    spread = float(np.degrees(np.arccos(np.clip((towards @ towards.T).min(), -1, 1))))
    if len(cameras.K) == 1:
        raise UserError(
            "one view shows an object from one side: its back would be invented. Take photos around it, or "
            "export the points: `format=ply`."
        )
    if spread < _LEAST_SPREAD_DEG:
        raise UserError(
            f"the cameras see the object from directions within {spread:.0f} degrees: its back would be "
            "invented. Take photos around it, or export the points: `format=ply`."
        )


def said_of_masks(votes: Sequence[ViewVotes], found: Believed) -> tuple[Notice, ...]:
    """Return what is to be said about the silhouettes of all views. Raises `MaskError` where no view has a
    mask, or many contradict each other.
    """
    wrong = found.wrong
    if all(view.outline is None for view in votes):
        raise MaskError(
            "no view has a mask: everything that no photo sees would become part of the object, up to the "
            "frames of the photos. Give masks of the object."
        )
    if len(wrong) > _MOST_WRONG * sum(view.outline is not None for view in votes):
        names = first_few([votes[view].name for view, _ in wrong])
        raise MaskError(
            f"the masks contradict each other: {len(wrong)} of {len(votes)} would have to be left out "
            f"({names}). Look at the masks and at the report of the scene."
        )
    notices = []
    empty = [view.name for view in votes if view.outline is None and not view.mask.any()]
    if empty:
        notices.append(left_out("masks", f"empty in {first_few(empty)}: these views say nothing."))
    without = [view.name for view in votes if view.outline is None and view.mask.any()]
    if without:
        text = f"{len(without)} views have none, and say only their depth: {first_few(without)}."
        notices.append(info("masks", text))
    for view, share in wrong:
        text = (
            f"its mask contradicts the others, of which it would carve away {100 * share:.0f} %: it is left "
            "out. Look at the mask."
        )
        notices.append(left_out(votes[view].name, text))
    for view, share in found.cut_off:
        text = (
            f"its mask cuts off a part that the depths of other views show, as large as {100 * share:.1f} % "
            "of the mask: it is left out. Look at the mask."
        )
        notices.append(left_out(votes[view].name, text))
    cut = [view.name for view in votes if view.cut_by_frame]
    if cut:
        text = (
            f"the object is cut by the frame in {len(cut)} views: {first_few(cut)}. What no "
            "view sees whole ends where the depths end."
        )
        notices.append(warning("masks", text))
    return tuple(notices)


def said_of_unseen(
    mesh: ObjectMesh, field: DistanceField, planes: Planes, least: float
) -> tuple[tuple[Notice, ...], dict[str, Any]]:
    """Return what is to be said about the surface without `least` votes, and its shares as figures."""
    area = np.zeros(len(mesh.vertices))
    np.add.at(area, mesh.faces, area_of_faces(mesh)[:, None] / 3)
    places = (mesh.vertices - field.lattice.origin) / field.lattice.spacing
    seen = _votes_at(field, places) >= least
    base = ~seen & (planes.beyond(places.astype(np.float32)) > -_ON_PLANE)
    shares = {
        "share of surface seen": float(area[seen].sum() / area.sum()),
        "share of surface on the closed base": float(area[base].sum() / area.sum()),
    }
    unseen = float(area[~seen & ~base].sum() / max(area[~base].sum(), 1e-300))
    if unseen <= _MUCH_UNSEEN:
        return (), shares
    text = (
        f"{100 * unseen:.0f} % of the surface, its base apart, has no depth of any view: there it "
        "is what the silhouettes allow. Take photos of the other sides, or look at the depth maps."
    )
    return (warning("mesh", text),), shares


def _votes_at(field: DistanceField, places: np.ndarray) -> np.ndarray:
    """Return the votes (n,) of the nodes nearest to places (n, 3); 0 in blocks that were not worked out."""
    node = np.clip(np.rint(places).astype(np.intp), 0, np.array(field.lattice.shape) - 1)
    block = np.ravel_multi_index(tuple((node // SIDE).T), blocks_of(field.lattice))
    within = np.ravel_multi_index(tuple((node % SIDE).T), (SIDE,) * 3)
    at = np.minimum(np.searchsorted(field.blocks, block), len(field.blocks) - 1)
    return np.where(field.blocks[at] == block, field.weight[at, within], 0)
