"""A data set of visual localisation: photos of a roof, a COLMAP text model, a list of queries, pairs.

Colours are a code of the place on the roof, which `ColourNetwork` reads, or a texture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from textured_roof import turned
from tiny_networks import tiny_config
from torch import Tensor

from align.export.colmap import TrackedModel, write_colmap
from align.localise.data_set import LocalisationSet, read_candidates, read_map, read_queries
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import Encoded, PairNetwork

SIZE = (448, 336)
K = np.array([[640.0, 0, 221.5], [0, 650, 169.5], [0, 0, 1]])
MAP = (-18.0, 2.0, 17.0)
QUERIES = (-12.0, 9.0)
# Point (u, v) of side s lies at ORIGIN + u * ALONG[s] + v * DOWN.
ALONG = {-1: np.array([-0.9, 0, 0.5]), 1: np.array([0.9, 0, 0.5])}
DOWN, ORIGIN = np.array([0, 1.4, 0]), np.array([0, -0.7, 0])
_SIDE = {-1: 100, 1: 200}
"""Blue level of each side; the background has less than 50."""


def on_roof(u: np.ndarray, v: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Return places (..., 3) on the roof."""
    along = np.where(side[..., None] < 0, ALONG[-1], ALONG[1])
    return ORIGIN + u[..., None] * along + v[..., None] * DOWN


def render(degrees: float, textured: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo (H, W, 3) and the mask (H, W) from a camera, exact at the pixels' centres."""
    pose, (width, height) = turned(degrees), SIZE
    y, x = np.mgrid[:height, :width]
    rays = np.linalg.solve(K, np.stack([x, y, np.ones_like(x)]).reshape(3, -1).astype(float))
    rays, centre = pose[:3, :3].T @ rays, -pose[:3, :3].T @ pose[:3, 3]
    photo = np.random.default_rng(int(100 + degrees)).integers(0, 50, (height, width, 3), np.uint8)
    mask = np.zeros((height, width), bool)
    for side, along in ALONG.items():
        inverse = np.stack(
            [np.broadcast_to(along, rays.T.shape), np.broadcast_to(DOWN, rays.T.shape), -rays.T]
        )
        u, v, _ = np.linalg.solve(inverse.transpose(1, 2, 0), (centre - ORIGIN)[:, None])[..., 0].T
        here = ((u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)).reshape(height, width)
        u, v = u.reshape(height, width), v.reshape(height, width)
        photo[here] = (_textured if textured else _coded)(u, v, side)[here]
        mask |= here
    return photo, mask


def _coded(u: np.ndarray, v: np.ndarray, side: int) -> np.ndarray:
    code = np.stack([255 * u, 255 * v, np.full_like(u, _SIDE[side])], 2)
    return np.clip(np.rint(code), 0, 255).astype(np.uint8)


def _textured(u: np.ndarray, v: np.ndarray, side: int) -> np.ndarray:
    smooth = gaussian_filter(np.random.default_rng(side + 5).normal(size=(400, 400, 3)), (2, 2, 0))
    texture = np.clip(127 + 55 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return cv2.remap(texture, (399 * u).astype(np.float32), (399 * v).astype(np.float32), cv2.INTER_LINEAR)


class ColourNetwork(PairNetwork):
    """A network that reads the code: it knows the place of every pixel of the roof."""

    def __init__(self, size: int = 224) -> None:
        super().__init__(tiny_config(size=size))

    def encode(self, images: Tensor) -> Encoded:
        """Return the pixels as tokens."""
        tokens = images.flatten(2).transpose(1, 2)
        return Encoded(tokens, torch.zeros(*tokens.shape[:2], 2, dtype=torch.int64), tuple(images.shape[2:]))

    def decode(self, first: Encoded, second: Encoded) -> tuple[HeadOutput, HeadOutput]:
        """Return places on the roof, sure ones, and descriptors that are alike where colours are."""
        return _read(first), _read(second)


def _read(encoded: Encoded) -> HeadOutput:
    levels = (encoded.tokens.reshape(-1, *encoded.size, 3) + 1) / 2  # (B, H, W, 3)
    u, v, blue = levels.unbind(-1)
    known = blue > 75 / 255
    side = torch.where(blue > 150 / 255, 1, -1)
    points = torch.from_numpy(on_roof(u.double().numpy(), v.double().numpy(), side.numpy())).float()
    angles = levels * torch.pi / 2
    desc = torch.cat([angles.cos(), angles.sin()], -1)
    return HeadOutput(points, torch.where(known, 10.0, 1.0), desc, torch.where(known, 5.0, 1.0))


@dataclass(frozen=True)
class Written:
    """Where everything lies."""

    photos: Path
    model: Path
    queries: Path
    pairs: Path
    masks: Path
    truth: dict[str, np.ndarray]

    def load(self, masked: bool = False) -> LocalisationSet:
        """Read it."""
        return LocalisationSet(
            self.photos,
            read_map(self.model),
            read_queries(self.queries),
            read_candidates(self.pairs),
            self.masks if masked else None,
        )


def write_set(folder: Path, textured: bool = False, num_points: int = 500) -> Written:
    """Write a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"map/{k}.png" for k in range(len(MAP))]
    asked = [f"query/{k}.png" for k in range(len(QUERIES))]
    for name, degrees in zip((*names, *asked), (*MAP, *QUERIES)):
        photo, mask = render(degrees, textured)
        for kind, picture, ending in (("photos", photo, ""), ("masks", mask.astype(np.uint8) * 255, ".png")):
            path = folder / kind / f"{name}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    _write_model(folder / "model", names, num_points)
    # COLMAP's principal point lies half a pixel further.
    line = f"PINHOLE {SIZE[0]} {SIZE[1]} {K[0, 0]} {K[1, 1]} {K[0, 2] + 0.5} {K[1, 2] + 0.5}"
    (folder / "queries.txt").write_text("".join(f"{name} {line}\n" for name in asked))
    (folder / "pairs.txt").write_text("".join(f"{query} {name}\n" for query in asked for name in names))
    return Written(
        folder / "photos",
        folder / "model",
        folder / "queries.txt",
        folder / "pairs.txt",
        folder / "masks",
        {name: turned(degrees) for name, degrees in zip(asked, QUERIES)},
    )


def _write_model(folder: Path, names: Sequence[str], num_points: int) -> None:
    import pycolmap

    rng = np.random.default_rng(3)
    u, v, side = rng.uniform(size=num_points), rng.uniform(size=num_points), rng.choice([-1, 1], num_points)
    points, poses = on_roof(u, v, side), np.stack([turned(degrees) for degrees in MAP])
    in_cam = np.einsum("vij,pj->vpi", poses[:, :3, :3], points) + poses[:, None, :3, 3]
    image = np.einsum("ij,vpj->vpi", K, in_cam)
    xy = image[..., :2] / image[..., 2:]
    seen, point = np.nonzero(((xy > -0.5) & (xy < np.array(SIZE) - 0.5)).all(-1))
    params = np.array([[K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5]])
    camera_of_image = np.zeros(len(MAP), int)
    model = TrackedModel(
        "PINHOLE",
        params,
        np.array([SIZE]),
        camera_of_image,
        poses,
        points,
        seen,
        point,
        xy[seen, point] + 0.5,
    )
    write_colmap(model, names, folder)
    written = pycolmap.Reconstruction(folder)
    for path in folder.glob("*.bin"):
        path.unlink()
    written.write_text(folder)
