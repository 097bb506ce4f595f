"""A texture from photos: every texel is seen by several of them, and is their mean in two bands.

Broad colour is the mean of all photos, so that no seam shows where one takes over from the next; detail comes
from the few that see it best, since a mean over poses with small errors would blur it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import KDTree

from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.surface import area_of_faces, vertex_normals
from align.meshes.texture.picture import broad_colour
from align.meshes.texture.raster import picture_of
from align.meshes.texture.shots import Shot, around_object
from align.meshes.texture.unwrap import Atlas, texels_of
from masks.errors import UserError
from masks.fill import extend_nearest
from masks.mask import distance_to_outline
from masks.progress import Progress, silent
from pairs.silhouettes.visual_hull import sampled

_LEAST_COSINE = 0.15
"""Between normal and ray: flatter than 81 degrees a photo shows nothing of a surface."""
_RIM_PX, _SURE_PX = 1.0, 6.0
"""Pixels inside the outline: nearer than the first a photo shows backdrop, from the second on it counts in
full."""
_LEAST_RIM_WEIGHT = 0.05
_BAND_PX = 8.0
"""Standard deviation that parts broad colour from detail."""
_SHARPNESS = 8
"""Power of the weights for detail: the best photo counts alone, nearly."""
_SMALLER = 0.7
"""Photos with finer pixels than this share of a texel are shrunk first, or they would alias."""
_NEIGHBOURS, _MOST_KNOWN = 16, 1 << 20
"""Of unseen texels: how many seen ones they are the mean of, and among how many these are looked for."""
_FAR = 4.0
"""Times the distance between seen texels that an unseen one is off them, from where they are thinned out."""
_NEARLY = 8.0
"""Times the distance between points, from which on it makes no difference which of them is the nearest."""
_TEXELS_AT_ONCE = 1 << 19


@dataclass(frozen=True, slots=True)
class _Texels:
    """The texels that lie on the surface: 13 million of a texture of 4096, so that every byte here counts."""

    index: np.ndarray  # (N,) int32, flat numbers in the texture
    points: np.ndarray  # (N, 3) float32, world
    normals: np.ndarray  # (N, 3) float32, smooth
    width: float
    """Side of a texel on the surface, world units."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What the photos gave so far: colours times weights, and weights, of both bands."""

    low: np.ndarray  # (N, 4) float32
    high: np.ndarray  # (N, 4) float32


def baked(
    mesh: ObjectMesh, atlas: Atlas, size: int, shots: Sequence[Shot], progress: Progress = silent
) -> TexturedMesh:
    """Return the mesh with a texture of size x size from its photos.

    Raises `UserError` where no photo shows any of it.
    """
    texels = _texels(mesh, atlas, size)
    sums = _Sums(np.zeros((len(texels.index), 4), np.float32), np.zeros((len(texels.index), 4), np.float32))
    for k, shot in enumerate(shots):
        progress("texture", k, len(shots))
        _add(sums, texels, mesh, shot)
    progress("texture", len(shots), len(shots))
    known = sums.low[:, 3] > 0
    if not known.any():
        raise UserError(
            "`texture`: no photo shows any of the surface inside its mask. Look at the masks, or write the "
            "mesh without a texture: `texture=none`."
        )
    texture, broad = np.zeros((size * size, 3), np.uint8), np.zeros((len(known), 3), np.uint8)
    for piece in _pieces(len(known)):
        some = known[piece]
        low, high = (band[piece][some, :3] / band[piece][some, 3:] for band in (sums.low, sums.high))
        texture[texels.index[piece][some]] = np.clip(np.rint(low + high), 0, 255)
        broad[piece][some] = np.clip(np.rint(low), 0, 255)
    del sums
    texture[texels.index[~known]] = _from_near_by(texels, known, texture[texels.index[known]], broad[known])
    seen, on_surface = np.zeros(size * size, bool), np.zeros(size * size, bool)
    seen[texels.index[known]] = True
    on_surface[texels.index] = True
    # Bilinear sampling, and the smaller copies that viewers make, read beyond the charts.
    texture = extend_nearest(texture.reshape(size, size, 3), on_surface.reshape(size, size))
    return TexturedMesh(mesh, atlas.corner_uv, texture, seen.reshape(size, size))


def seen_share(textured: TexturedMesh) -> float:
    """Return the share of the surface, by area, that a photo shows."""
    raster = texels_of(textured.corner_uv, len(textured.texture))
    count = len(textured.mesh.faces)
    texels = np.bincount(raster.face[raster.covered], minlength=count)
    seen = np.bincount(raster.face[textured.seen], minlength=count)
    areas = np.where(texels > 0, area_of_faces(textured.mesh), 0)
    return float((areas * seen / np.maximum(texels, 1)).sum() / areas.sum())


def _texels(mesh: ObjectMesh, atlas: Atlas, size: int) -> _Texels:
    raster = texels_of(atlas.corner_uv, size)
    index = np.flatnonzero(raster.covered).astype(np.int32)
    points, normals = np.empty((len(index), 3), np.float32), np.empty((len(index), 3), np.float32)
    for of_vertices, of_texels in ((mesh.vertices, points), (vertex_normals(mesh), normals)):
        at_corners = of_vertices.astype(np.float32)[mesh.faces]
        for piece in _pieces(len(index)):
            face, weights = raster.face.ravel()[index[piece]], raster.weights.reshape(-1, 3)[index[piece]]
            np.einsum("nc,nci->ni", weights, at_corners[face], out=of_texels[piece])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    width = float(np.sqrt(area_of_faces(mesh).sum() / max(1, len(index))))
    return _Texels(index, points, normals, width)


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, _TEXELS_AT_ONCE):
        yield slice(start, start + _TEXELS_AT_ONCE)


def _add(sums: _Sums, texels: _Texels, mesh: ObjectMesh, shot: Shot) -> None:
    """Add what a photo shows to the sums."""
    # Around the object as far as the bands reach: a blur that ended before would mirror the object.
    share = _size_share(texels, mesh, shot)
    part = around_object(shot, int(np.ceil(4 * _BAND_PX / share)), share)
    if part is None:
        return
    picture, mask, K = part
    footprint = 1 / K[0, 0]
    height, width = mask.shape
    # Nearest of nine: a texel beside an edge that hides it is hidden, since the edge is a pixel off at times.
    hiding = cv2.erode(picture_of(mesh, K, shot.cam_from_world, (width, height)).depth, np.ones((3, 3)))
    inside = -distance_to_outline(mask)
    low, high = _bands(picture, mask)
    for chosen, xy, z, cosine in _towards(texels, K, shot.cam_from_world, (width, height)):
        column, row = np.rint(xy).astype(int).T
        at_rim = inside[row, column]
        visible = z < hiding[row, column] + z * footprint * (1.5 + 2 / cosine)
        shown = np.flatnonzero(visible & (at_rim > _RIM_PX))
        chosen, xy = chosen[shown], xy[shown]
        weight = cosine[shown] ** 2 * np.clip(at_rim[shown] / _SURE_PX, _LEAST_RIM_WEIGHT, 1)
        # Pixels on the surface by the area of a texel: about 1, as the eighth power in float32 asks for.
        weight *= (texels.width / (z[shown] * footprint)) ** 2
        for sum_, band, power in ((sums.low, low, 1), (sums.high, high, _SHARPNESS)):
            weights = (weight**power)[:, None]
            colours = sampled(band, xy[:, 0], xy[:, 1], cv2.BORDER_REPLICATE)
            sum_[chosen] += np.concatenate([colours * weights, weights], 1)


def _size_share(texels: _Texels, mesh: ObjectMesh, shot: Shot) -> float:
    """Return the share of its size to which a photo is shrunk: below 1 where its pixels are much finer than
    texels.
    """
    depth = np.median(mesh.vertices @ shot.cam_from_world[2, :3] + shot.cam_from_world[2, 3])
    share = max(float(depth), 1e-12) / shot.K[0, 0] / texels.width
    return share if share < _SMALLER else 1.0


def _bands(picture: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return broad colour and detail (H, W, 3) float32 of a picture; the backdrop has no part in them."""
    low = broad_colour(picture, mask, _BAND_PX)
    return low, picture - low


def _towards(
    texels: _Texels, K: np.ndarray, pose: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the texels that face a camera and lie in its picture, in pieces: their numbers (n,), pixels
    (n, 2), depths (n,) and cosines (n,) between normal and ray.
    """
    centre = (-pose[:3, :3].T @ pose[:3, 3]).astype(np.float32)
    rows = (K @ pose[:3]).astype(np.float32)
    for piece in _pieces(len(texels.index)):
        to_camera = centre - texels.points[piece]
        facing = np.einsum("ni,ni->n", to_camera, texels.normals[piece])
        # Half of the texels turn their backs, and cost no more than this.
        front = np.flatnonzero(facing > 0)
        points = texels.points[piece][front]
        # Product by product: of many rows by 3 x 3 numbers NumPy makes a slow one.
        x, y, z = (points @ row[:3] + row[3] for row in rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = x / z, y / z
        cosine = facing[front] / np.sqrt(np.einsum("ni,ni->n", to_camera[front], to_camera[front]))
        inside = (x >= 0) & (x <= size[0] - 1) & (y >= 0) & (y <= size[1] - 1)
        good = np.flatnonzero((cosine > _LEAST_COSINE) & (z > 0) & inside)
        yield piece.start + front[good], np.stack([x[good], y[good]], 1), z[good], cosine[good]


def _from_near_by(texels: _Texels, known: np.ndarray, colours: np.ndarray, broad: np.ndarray) -> np.ndarray:
    """Return colours (m, 3) uint8 of the texels that no photo shows: of those near by in space that one does,
    which are the known (N,) ones, with colours (n, 3) and what is broad of them (n, 3).

    The nearest on the texture may be of another chart, and from the other side of the object. The farther a
    texel is from all that are known, the farther apart are those that it is the mean of, and the broader: the
    nearest alone would draw rays across a base from its rim.
    """
    unknown, points = texels.points[~known], texels.points[known]
    shuffled = np.random.default_rng(0).permutation(len(points))[:_MOST_KNOWN]
    spacing = texels.width * np.sqrt(len(points) / len(shuffled))
    points = points[shuffled]
    last = max(0, int(np.log(len(points) / _NEIGHBOURS) / np.log(4)))
    # A quarter of points spread over a surface are twice as far apart.
    trees = [KDTree(points[: max(1, len(points) // 4**level)]) for level in range(last + 1)]
    found = np.zeros((len(unknown), 3), np.float32)
    away = _distance_to_any(unknown, trees, spacing)
    wanted = np.clip(np.log2(np.maximum(away, 1e-12 * spacing) / (_FAR * spacing)), 0, last)
    for level, tree in enumerate(trees):
        share = np.maximum(1 - np.abs(wanted - level), 0)
        some = np.flatnonzero(share)
        own = (broad if level else colours)[shuffled[: tree.n]]
        for piece in _pieces(len(some)):
            at = some[piece]
            found_near = tree.query(unknown[at], k=min(_NEIGHBOURS, tree.n))
            distance, near = (np.reshape(each, (len(at), -1)) for each in found_near)
            weights = 1 / np.maximum(distance, 1e-6 * spacing) ** 2
            mean = np.einsum("nk,nkc->nc", weights, own[near].astype(np.float32))
            found[at] += share[at, None] * mean / weights.sum(1, keepdims=True)
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)


def _distance_to_any(points: np.ndarray, trees: Sequence[KDTree], spacing: float) -> np.ndarray:
    """Return how far points (n, 3) are from those of the first tree, an eighth too far at most: each tree
    after it holds a quarter of the one before, and the first `spacing` apart.

    In the middle of a disc all points of its rim are nearly nearest, and a tree with all of them is searched
    to its end; the distance to a few of them says the same.
    """
    found = np.empty(len(points), np.float32)
    left = np.arange(len(points))
    for level in reversed(range(len(trees))):
        if len(left):
            away = np.concatenate(
                [trees[level].query(points[left[piece]])[0] for piece in _pieces(len(left))]
            )
            found[left] = away
            left = left[away < _NEARLY * 2**level * spacing]
    return found
