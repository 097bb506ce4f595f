"""What every view says about the places around the object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from align.export.surface import normals_of_depth
from align.meshes.options import MeshOptions
from align.scene import Scene, SceneView
from masks.fill import nearest_valid
from masks.mask import box_around
from masks.pixelmap import present
from pairs.prediction.from_group import pointmap
from pairs.silhouettes.visual_hull import CONTINUED_PX, signed_distance

_JUMP = 4.0
"""Footprints between neighbouring depths from which on an occluding edge runs there: what is interpolated
across it is no surface."""
_BENT = 1.0
"""Footprints of a second difference up to which depths lie on a plane."""
_FULL_CONF, _WEIGHTS = 6.0, (0.2, 2.0)
"""Confidence of a full vote, and what votes are held between. The embedded backend's runs from 1.5 to 12."""
_FLATTEST = 0.2
"""Least cosine between ray and normal that counts."""
_OUTLINE_BLUR_PX = 0.7
"""Standard deviation: the outline of a boolean mask has steps of one pixel."""
_LARGEST_MASK = 1600
"""Pixels of a mask's short side from which on it is halved."""


@dataclass(frozen=True, slots=True)
class ViewVotes:
    """What one view says."""

    name: str
    depth: np.ndarray  # (H, W, 4) float32: z, 1 where it is usable and 0 elsewhere, weight, slant
    """z x slant is the distance along the normal: the slant is the normal's share along the ray to depth 1.
    Beyond what is usable everything but the usable is continued by its nearest pixel."""
    mask: np.ndarray  # (H, W) bool, on the grid
    K: np.ndarray  # (3, 3), grid
    cam_from_world: np.ndarray  # (4, 4)
    outline: np.ndarray | None  # (h + 96, w + 96) float32, pixels from the outline, negative inside
    """Around the object alone, and 48 pixels beyond. None: the view has no mask, or an empty one, and cuts
    nothing."""
    K_outline: np.ndarray  # (3, 3), pixels of the outline less 48
    cut_by_frame: bool
    """Whether the object goes on beyond the picture."""


def footprint(scene: Scene, min_conf: float) -> float:
    """Return the width that a pixel of a depth map sees at the object: the median over all usable pixels,
    world units; 0 without any.
    """
    widths = [np.zeros(0)]
    for view, K in zip(scene.views, scene.cameras.K):
        widths.append(view.depth[_known(view, view.mask, min_conf)] / K[0, 0])
    found = np.concatenate(widths)
    return float(np.median(found)) if len(found) else 0.0


def votes_of(
    scene: Scene, masks: Sequence[np.ndarray], options: MeshOptions, unit: float
) -> Iterator[ViewVotes]:
    """Yield the votes of all views, with masks (H, W) bool on the ideal pictures or the grids; a mask that is
    all object is none. `unit` is the footprint.
    """
    for k, (view, mask, K_ideal) in enumerate(zip(scene.views, masks, scene.at_ideal().K)):
        K, pose = scene.cameras.K[k], scene.cameras.cam_from_world[k]
        on_grid = mask if mask.shape == view.mask.shape else view.mask
        usable = _usable(view, on_grid, options.min_conf, unit)
        whole = _continued(view, mask)
        outline, K_outline = _outline(whole, K if mask.shape == view.mask.shape else K_ideal)
        packed = _packed(view.depth, view.conf, usable, K)
        yield ViewVotes(view.name, packed, on_grid, K, pose, outline, K_outline, _touches_frame(whole))


def usable_points(votes: ViewVotes) -> np.ndarray:
    """Return the world points (n, 3) float32 of the usable pixels of a view."""
    points = pointmap(votes.depth[..., 0], votes.K, np.linalg.inv(votes.cam_from_world))
    return points[votes.depth[..., 1] > 0]


def _known(view: SceneView, mask: np.ndarray, min_conf: float) -> np.ndarray:
    return mask & (view.conf >= min_conf) & (view.depth > 0)


def _usable(view: SceneView, mask: np.ndarray, min_conf: float, unit: float) -> np.ndarray:
    """Return the pixels (H, W) whose depth counts: those beside no occluding edge."""
    known = _known(view, mask, min_conf)
    box = np.ones((3, 3), np.uint8)
    farthest = cv2.dilate(np.where(known, view.depth, 0), box)
    nearest = cv2.erode(np.where(known, view.depth, np.float32(np.finfo(np.float32).max)), box)
    return known & ((farthest - nearest < _JUMP * unit) | _planar(view.depth, known, unit))


def _planar(depth: np.ndarray, known: np.ndarray, unit: float) -> np.ndarray:
    """Return the pixels (H, W) around which depths lie on a plane, however steep: a table top seen from 25
    degrees above falls by more than 4 footprints in three rows.
    """
    flat = cv2.erode(known.astype(np.uint8), np.ones((3, 3)), borderValue=0) > 0
    for bend in ([[1, -2, 1]], [[1], [-2], [1]]):
        flat &= np.abs(cv2.filter2D(depth, cv2.CV_32F, np.array(bend, np.float32))) < _BENT * unit
    return flat


def _packed(depth: np.ndarray, conf: np.ndarray, usable: np.ndarray, K: np.ndarray) -> np.ndarray:
    packed = np.zeros((*depth.shape, 4), np.float32)
    if not usable.any():
        return packed
    h, w = depth.shape
    normals = normals_of_depth(np.where(usable, depth, 0), K)
    ray_x = ((np.arange(w) - K[0, 2]) / K[0, 0]).astype(np.float32)
    ray_y = ((np.arange(h) - K[1, 2]) / K[1, 1]).astype(np.float32)[:, None]
    length = np.sqrt(ray_x * ray_x + ray_y * ray_y + 1)
    along = -(normals[..., 0] * ray_x + normals[..., 1] * ray_y + normals[..., 2])
    slant = np.maximum(along, _FLATTEST * length)
    weight = np.clip(conf / _FULL_CONF, *_WEIGHTS) * slant / length
    # Bilinear sampling must never mix with what is unknown: at the outline it would give a skirt of half-way
    # points.
    source = nearest_valid(usable)
    for channel, values in ((0, depth), (2, weight), (3, slant)):
        packed[..., channel] = values.ravel()[source]
    packed[..., 1] = usable
    return packed


def _continued(view: SceneView, mask: np.ndarray) -> np.ndarray:
    """Return a mask whose pixels that the photo does not feed are as their nearest fed ones: padding and the
    rim of a lens are not background.
    """
    pixel_map = view.pixel_map if mask.shape == view.mask.shape else view.pixel_map.to_ideal()
    fed = present(pixel_map)
    if fed.all() or mask.all() or not fed.any():
        return mask
    return mask.ravel()[nearest_valid(fed)]


def _outline(mask: np.ndarray, K: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the distance to a mask's outline, or none, around the object alone, and K there."""
    if mask.all() or not mask.any():
        return None, K
    while min(mask.shape) > _LARGEST_MASK:
        mask, K = _halved(mask, K)
    # Beyond the object only as far as its outline is asked for.
    left, top, width, height = box_around(mask, CONTINUED_PX)
    part = mask[top : top + height, left : left + width]
    K = K.copy()
    K[:2, 2] -= left, top
    return cv2.GaussianBlur(signed_distance(part), (0, 0), _OUTLINE_BLUR_PX), K


def _halved(mask: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, w = mask.shape[0] // 2, mask.shape[1] // 2
    part = mask[: 2 * h, : 2 * w].astype(np.float32)
    K = K.copy()
    K[:2] /= 2
    # A pixel of the half covers the pixels 0 and 1, whose middle is at 0.5.
    K[:2, 2] -= 0.25
    return cv2.resize(part, (w, h), interpolation=cv2.INTER_AREA) >= 0.5, K


def _touches_frame(mask: np.ndarray) -> bool:
    """Tell whether the object, and not only a corner of it, goes on beyond the picture."""
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(rim.sum() > 2) and not mask.all()
