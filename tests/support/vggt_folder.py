"""A checkpoint of the small network as a folder with its configuration, and photos for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from small_vggt import small_config, small_vggt, write_config, write_safetensors

from masks.mask import Mask
from masks.pixelmap import identity
from pairs.networks.vggt.config import VggtConfig
from pairs.networks.vggt.config_file import CONFIG_NAME
from pairs.views.digest import digest
from pairs.views.view import View


def small_folder(folder: Path, config: VggtConfig | None = None, seed: int = 0) -> Path:
    """Write the small network, trained at 56 pixels, for the command line to find."""
    config = config or larger_config()
    folder.mkdir(parents=True, exist_ok=True)
    write_config(config, folder / CONFIG_NAME)
    write_safetensors(folder / "model.safetensors", small_vggt(seed, config))
    return folder


def larger_config() -> VggtConfig:
    """Return the small configuration for images of 56 pixels."""
    config = small_config()
    dino = config.aggregator.dino
    return replace(
        config,
        aggregator=replace(config.aggregator, dino=None if dino is None else replace(dino, stored_side=4)),
    )


def photos(
    folder: Path,
    count: int = 4,
    masked: bool = True,
    backdrop: int = 0,
    sizes: Sequence[tuple[int, int]] = ((64, 48),),
) -> tuple[View, ...]:
    """Write photos of (width, height), taken in turn from `sizes`, with an object in the middle half;
    `backdrop` changes all around it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    views = []
    for k in range(count):
        w, h = sizes[k % len(sizes)]
        pixels = (
            np.random.default_rng([k, 7])
            .integers(0, 256, (h // 4, w // 4, 3))
            .repeat(4, 0)
            .repeat(4, 1)
            .astype(np.uint8)
        )
        inside = np.zeros((h, w), bool)
        inside[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4] = True
        around = np.random.default_rng([k, backdrop]).integers(0, 256, pixels.shape).astype(np.uint8)
        pixels = np.where(inside[..., None], pixels, around)
        path = folder / f"{k}.png"
        Image.fromarray(pixels).save(path)
        content = digest(pixels, inside if masked else "whole")
        mask = Mask(inside, "made up") if masked else None
        views.append(
            View(path.name, path, pixels, identity((w, h)), mask, content, photo_key=content, camera="one")
        )
    return tuple(views)
