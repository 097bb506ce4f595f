"""Charts: the surface cut open and laid out flat on a square, by xatlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from align.meshes.extra import require_mesh
from align.meshes.mesh import ObjectMesh
from align.meshes.surface import area_of_faces
from align.meshes.texture.raster import Raster, rasterised
from masks.notice import Notice, warning

_PADDING_TEXELS = 3
"""Between charts. The atlas comes out up to a fifth larger than asked and is shrunk to what was asked: two
texels are left, as many as bilinear sampling on either side reads."""
_FILLED = 0.6
"""Share of the square that is surface: xatlas fills 0.8, and no chart has quite the scale of the others."""
_BYTES, _OF_FREE = 64.0, 0.5
"""Bytes a texel while photos are added, and share of the free memory that they take."""
SMALLEST, LARGEST = 512, 4096
"""Sides of a texture whose size is chosen here."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """Where the triangles of a mesh lie on the texture."""

    corner_uv: np.ndarray  # (F, 3, 2) float32, shares of the texture from its upper left corner
    charts: int


class FittingSize(NamedTuple):
    """The side of a texture, and what is to be said about it."""

    texels: int
    notices: tuple[Notice, ...]


def fitting_size(mesh: ObjectMesh, footprint: float, free: float | None) -> FittingSize:
    """Return the side of a texture, a power of two, whose texels are as fine as the photos' pixels, which are
    `footprint` wide on the surface; less where the `free` bytes of memory, if known, do not hold it.
    """
    needed = np.sqrt(area_of_faces(mesh).sum() / footprint**2 / _FILLED)
    wanted = size = int(np.clip(2 ** np.ceil(np.log2(max(needed, 1.0))), SMALLEST, LARGEST))
    while free is not None and size > SMALLEST and _BYTES * size**2 > free * _OF_FREE:
        size //= 2
    if size == wanted:
        return FittingSize(size, ())
    text = (
        f"the texture has {size} texels a side, and the photos show {wanted}: for these "
        f"{_BYTES * wanted**2 / 1e9:.1f} GB are needed, and {(free or 0) / 1e9:.1f} GB are free."
    )
    return FittingSize(size, (warning("texture", text),))


def unwrapped(mesh: ObjectMesh, size: int) -> Atlas:
    """Return charts for a texture of size x size.

    Raises `MissingExtraError` where xatlas is not installed.
    """
    require_mesh()
    import xatlas

    # xatlas takes faces of an area near float32's epsilon for points and leaves them at (0, 0): in a scene's
    # own units these were a quarter of the faces of a real object. With edges of length 1 there are none.
    edges = mesh.vertices[mesh.faces] - mesh.vertices[np.roll(mesh.faces, 1, axis=1)]
    unit = float(np.median(np.linalg.norm(edges, axis=-1)))
    atlas = xatlas.Atlas()
    scaled = (mesh.vertices - mesh.vertices.mean(0)) / unit
    atlas.add_mesh(scaled.astype(np.float32), mesh.faces.astype(np.uint32))
    pack = xatlas.PackOptions()
    pack.resolution, pack.padding, pack.bilinear = size, _PADDING_TEXELS, True
    atlas.generate(xatlas.ChartOptions(), pack)
    _, corners, uv = atlas[0]
    # Shares of a rectangle become those of a square: equal texels along both sides.
    square = np.array([atlas.width, atlas.height]) / max(atlas.width, atlas.height)
    return Atlas((uv[corners] * square).astype(np.float32), atlas.chart_count)


def texels_of(corner_uv: np.ndarray, size: int) -> Raster:
    """Return which triangle, and where on it, lies at the centre of each texel of size x size."""
    return rasterised(corner_uv.astype(np.float64) * size - 0.5, np.ones(corner_uv.shape[:2]), (size, size))
