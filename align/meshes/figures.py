"""How well a mesh fits the photos and masks that it was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.texture.picture import broad_colour, rendered
from align.meshes.texture.raster import picture_of
from align.meshes.texture.shots import Shot, around_object
from align.scene import Scene

_MOST_PICTURES = 8
"""Photos that are compared with pictures of the mesh, evenly chosen."""
_LOW_BAND_PX = 12.0
"""Standard deviation of what a fixed lamp paints on a turning object: without it colours are compared."""
_FEWEST_PIXELS = 100
_FAR, _PART = 0.04, 0.002
"""Of the silhouette's longest side, beyond which of its rim masks show another part; and of the mask, from
where on that is no crumb."""
_FEWEST_LOSING, _LOSING = 3, 0.2
"""Views, and share of all, whose masks must show a part that is none of the mesh."""


@dataclass(frozen=True, slots=True)
class PictureError:
    """A picture of the mesh beside the photo of the same camera, inside of mask and mesh."""

    name: str
    psnr: float
    psnr_of_detail: float
    """Without what is broader than 12 pixels: a lamp that stands still while the object turns."""
    ssim: float
    flow_px: float
    """Median length of the optical flow between both."""


@dataclass(frozen=True, slots=True)
class SilhouetteFit:
    """A view's mask beside the mesh's silhouette."""

    overlap: float
    """Intersection over union."""
    lost: float
    """Share of the mask that is farther from the silhouette than 4 % of its longest side."""


def silhouette_fits(mesh: ObjectMesh, scene: Scene) -> dict[str, SilhouetteFit]:
    """Return by view how the mesh's silhouette fits its mask, on the view's grid. Views without a mask are
    left out.
    """
    found = {}
    cameras = scene.cameras
    for view, K, pose in zip(scene.views, cameras.K, cameras.cam_from_world):
        if view.mask.all() or not view.mask.any():
            continue
        shown = picture_of(mesh, K, pose, view.pixel_map.target_size).covered
        overlap = float((shown & view.mask).sum() / (shown | view.mask).sum())
        found[view.name] = SilhouetteFit(overlap, _lost(view.mask, shown))
    return found


def _lost(mask: np.ndarray, shown: np.ndarray) -> float:
    if not shown.any():
        return 1.0
    _, _, *sides = cv2.boundingRect(shown.astype(np.uint8))
    away = cv2.distanceTransform((~shown).astype(np.uint8), cv2.DIST_L2, 5)
    return float((away[mask] > _FAR * max(sides)).mean())


def losing(fits: Mapping[str, SilhouetteFit]) -> tuple[str, ...]:
    """Return the views whose masks show parts that are not on the mesh, worst first; none where they are few,
    and rather wrong than right.
    """
    found = [name for name in sorted(fits, key=lambda name: -fits[name].lost) if fits[name].lost > _PART]
    return tuple(found) if len(found) >= max(_FEWEST_LOSING, _LOSING * len(fits)) else ()


def disagreeing(overlaps: Mapping[str, float]) -> tuple[str, ...]:
    """Return the views whose masks fit the mesh clearly worse than the others' do, worst first.

    What is missing to 1 must be three times the median, and 2 % at least: a rim of half a pixel is 1 %.
    """
    if not overlaps:
        return ()
    limit = max(0.02, 3 * float(np.median([1 - each for each in overlaps.values()])))
    return tuple(name for name in sorted(overlaps, key=overlaps.__getitem__) if 1 - overlaps[name] > limit)


def picture_errors(mesh: TexturedMesh, shots: Sequence[Shot]) -> tuple[PictureError, ...]:
    """Compare at most eight photos with pictures of the mesh from the same cameras."""
    chosen = shots
    if len(shots) > _MOST_PICTURES:
        chosen = [shots[k * len(shots) // _MOST_PICTURES] for k in range(_MOST_PICTURES)]
    found = [_compared(mesh, shot) for shot in chosen]
    return tuple(each for each in found if each is not None)


def picture_figures(errors: Sequence[PictureError]) -> dict[str, Any]:
    """Return means over the pictures, by name, ready for JSON."""
    if not errors:
        return {}
    columns = {
        "PSNR": [each.psnr for each in errors],
        "PSNR of detail": [each.psnr_of_detail for each in errors],
        "SSIM": [each.ssim for each in errors],
        "flow in pixels": [each.flow_px for each in errors],
    }
    return {name: float(np.mean(values)) for name, values in columns.items()} | {"pictures": len(errors)}


def _compared(mesh: TexturedMesh, shot: Shot) -> PictureError | None:
    part = around_object(shot, int(4 * _LOW_BAND_PX))
    if part is None:
        return None
    photo, mask, K = part
    picture, covered = rendered(mesh, K, shot.cam_from_world, (mask.shape[1], mask.shape[0]))
    inside = mask & covered
    if inside.sum() < _FEWEST_PIXELS:
        return None
    # What is beside both is the same in both, and has no edge of its own.
    photo, picture = (np.where(inside[..., None], each, 0).astype(np.uint8) for each in (photo, picture))
    details = [each - broad_colour(each, inside, _LOW_BAND_PX) for each in (photo, picture)]
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (photo, picture)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)  # pyright: ignore[reportCallIssue,reportArgumentType]
    return PictureError(
        shot.name,
        _psnr(photo.astype(np.float32) - picture, inside),
        _psnr(details[0] - details[1], inside),
        _ssim(photo, picture, inside),
        float(np.median(np.linalg.norm(flow, axis=-1)[inside])),
    )


def _psnr(difference: np.ndarray, inside: np.ndarray) -> float:
    squared = float(np.square(difference[inside], dtype=np.float64).mean())
    return float(10 * np.log10(255**2 / max(squared, 1e-12)))


def _ssim(photo: np.ndarray, picture: np.ndarray, inside: np.ndarray) -> float:
    """Return the mean structural similarity (Z. Wang et al., Image quality assessment, TIP 2004)."""
    from skimage.metrics import structural_similarity

    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    similarity = np.zeros(inside.shape)
    # In float32, and a channel at a time: of 12 megapixels the package would take gigabytes.
    for one, other in zip(*(np.moveaxis(each.astype(np.float32), -1, 0) for each in (photo, picture))):
        similarity += structural_similarity(one, other, full=True, **how)[1] / 3
    return float(similarity[inside].mean())
