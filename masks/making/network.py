"""What a network that knows salient things says: a help where photos say nothing, never more than that.

On plain cloth such a network is as good as colours; before loud backdrops it takes the turntable with the
object, or misses it. Hence nothing is loaded unless a file is named, and what is known otherwise outweighs
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from masks.errors import MaskError
from masks.making.colour import SEED
from masks.making.evidence import Evidence
from masks.reading import reading

NETWORK = "a network of salient objects"

_REMEDY = "Give an ONNX file of a network of the U²-Net family."
_SIDE = 320
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in 0..1
_MOST = 1.0
"""Evidence that it can give: below a seed, so that it teaches no colours."""


class SalientModel(Protocol):
    """Tells how salient each pixel of a photo is."""

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Return the chance (H, W) float32 in 0..1 that a pixel of a photo (H, W, 3) uint8 is object."""
        ...


class OnnxModel:
    """A network of the U²-Net family in an ONNX file: (1, 3, 320, 320) normalised as ImageNet in, chances
    out, the finest map first.
    """

    def __init__(self, path: Path) -> None:
        """Load a file. Raises `MaskError` where it holds no such network."""
        self.path = path
        with reading(path, _REMEDY, "holds no network that can be run", MaskError):
            path.open("rb").close()
            self._network = cv2.dnn.readNetFromONNX(str(path))

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Return the chances (H, W) of a photo."""
        small = cv2.resize(photo, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        # As these networks are trained: the brightest level counts as white.
        normal = (small / max(float(small.max()), 1.0) - _MEAN) / _DEVIATION
        with reading(self.path, _REMEDY, "holds no network of photos", MaskError):
            self._network.setInput(normal.transpose(2, 0, 1)[None].astype(np.float32))
            chances = self._network.forward(self._network.getUnconnectedOutLayersNames()[0])
        chances = np.asarray(chances).squeeze((0, 1)) if np.shape(chances)[:2] == (1, 1) else np.empty(0)
        if chances.ndim != 2 or not np.isfinite(chances).all() or chances.min() < 0 or chances.max() > 1:
            raise MaskError(f"{self.path}: gives no map of chances between 0 and 1. {_REMEDY}")
        return cv2.resize(chances, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def with_network(evidence: Evidence, pictures: Sequence[np.ndarray], model: SalientModel) -> Evidence:
    """Return the evidence with what a network says of photos (H, W, 3) uint8 where nothing else decides."""
    logits = []
    for picture, known in zip(pictures, evidence.logits):
        chance = np.clip(model(picture), 1e-3, 1 - 1e-3)
        said = np.clip(np.log(chance / (1 - chance)) / 2, -_MOST, _MOST)
        logits.append((known + said * np.clip(1 - np.abs(known) / SEED, 0, 1)).astype(np.float32))
    return Evidence(tuple(logits), evidence.road)


def network_evidence(pictures: Sequence[np.ndarray], model: SalientModel) -> Evidence:
    """Return what a network alone says of photos (H, W, 3) uint8."""
    nothing = Evidence(tuple(np.zeros(p.shape[:2], np.float32) for p in pictures), NETWORK)
    return with_network(nothing, pictures, model)
