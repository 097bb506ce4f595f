"""Pictures of a textured mesh through a camera, and colours of its texture."""

from __future__ import annotations

import cv2
import numpy as np

from align.meshes.mesh import TexturedMesh
from align.meshes.texture.raster import Raster, picture_of
from pairs.silhouettes.visual_hull import sampled


def rendered(
    mesh: TexturedMesh, K: np.ndarray, cam_from_world: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture (H, W, 3) uint8 that a camera with K (3, 3) and pose (4, 4) takes of a mesh in its
    own colours, black beside it, and which pixels (H, W) bool it covers.
    """
    raster = picture_of(mesh.mesh, K, cam_from_world, size)
    picture = np.zeros((*raster.face.shape, 3), np.uint8)
    covered = raster.covered
    picture[covered] = colours_at(mesh.texture, _places(mesh, raster))
    return picture, covered


def colours_at(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Return the colours (n, 3) uint8 of a texture at places (n, 2) in shares of it, bilinear."""
    height, width = texture.shape[:2]
    x, y = (uv * (width, height) - 0.5).astype(np.float32).T
    return sampled(texture, x, y, cv2.BORDER_REPLICATE)


def broad_colour(picture: np.ndarray, inside: np.ndarray, sigma: float) -> np.ndarray:
    """Return the colours (H, W, 3) float32 of a picture without what is finer than `sigma` pixels; what is
    not inside (H, W) has no part in them.
    """
    weight = inside.astype(np.float32)
    spread = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    return cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma) / np.maximum(spread, 1e-6)


def _places(mesh: TexturedMesh, raster: Raster) -> np.ndarray:
    """Return the places (n, 2) on the texture of the covered pixels."""
    covered = raster.covered
    return np.einsum("nci,nc->ni", mesh.corner_uv[raster.face[covered]], raster.weights[covered])
