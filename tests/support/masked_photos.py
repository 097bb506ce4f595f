"""Photos with masks, and what a store holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pairs.views.load import load_views
from pairs.views.view import View


def photos(folder: Path, masked: bool = True, backdrop: int = 0) -> tuple[View, ...]:
    """Write two landscape and two portrait photos with masks, random colours behind the object, and load
    them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(4):
        w, h = (120, 90) if k < 2 else (90, 120)
        image = np.random.default_rng(k).integers(0, 256, (h, w, 3), np.uint8)
        mask = np.zeros((h, w), np.uint8)
        mask[20:70, 15 + 5 * k : 75] = 255
        image[mask == 0] = np.random.default_rng((backdrop, k)).integers(0, 256, (int((mask == 0).sum()), 3))
        Image.fromarray(image).save(folder / f"{k}.png")
        if masked:
            Image.fromarray(mask).save(folder / f"{k}_mask.png")
    return load_views([folder / f"{k}.png" for k in range(4)])[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))
    }
