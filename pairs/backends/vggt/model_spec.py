"""What it takes to open VGGT in any process of this machine, and to tell its predictions from all others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from masks.errors import UserError
from pairs.backends.network_options import (
    PRECISIONS,
    NetworkChoice,
    chosen_device,
    chosen_fill,
    chosen_precision,
    libraries,
)
from pairs.backends.vggt.images import VggtGrid
from pairs.networks.vggt.config import Head, VggtConfig, with_heads
from pairs.networks.vggt.load import VggtOptions, config_of, find_vggt, load_vggt
from pairs.networks.vggt.network import Vggt
from pairs.views.digest import files_digest
from pairs.views.view import View

VERSION = 1
"""Raised whenever something else is computed from equal weights and views: all that was stored before is then
made again."""
USUAL = "VGGT-1B"
"""The checkpoint when none is named."""
GROUP_HEADS: frozenset[Head] = frozenset({"camera", "depth"})
"""Points follow from depth and cameras, more accurately than from the head of points."""
TRACK_HEADS: frozenset[Head] = frozenset({"track"})

_FRAMES_CPU, _FRAMES_ACCELERATOR = 2, 8
_PUBLISHED_SIZE = 518


@dataclass(frozen=True, slots=True)
class VggtSpec:
    """A network and how it is run."""

    path: Path
    """Of the checkpoint."""
    config: VggtConfig
    """What it was trained as, all heads."""
    device: str
    precision: str
    fill: str

    @property
    def size(self) -> int:
        """The longest side of the images that it was trained on."""
        dino = self.config.aggregator.dino
        return _PUBLISHED_SIZE if dino is None else dino.stored_side * dino.patch_size

    @property
    def frames_at_once(self) -> int:
        """How many frames a dense head handles together; it changes no result, and bounds its memory."""
        return _FRAMES_CPU if self.device == "cpu" else _FRAMES_ACCELERATOR

    @property
    def fixed_grid(self) -> str:
        """In words the images that it sees."""
        return (
            f"images of {self.size} pixels in patches of {self.config.aggregator.patch_size}, as the "
            "network was trained on"
        )

    def key(self, kind: str) -> str:
        """Return the line that tells its predictions of a kind from those of any other network."""
        # Nothing in the tensors tells the two published trackers apart, so the digest of the weights is not
        # enough.
        beside = json.dumps(repr(self.config))
        chosen = {
            "weights": files_digest(self.path),
            "config": beside,
            "precision": self.precision,
            "fill": self.fill,
        }
        return (
            f"{kind} {VERSION} ({libraries()}, {torch.device(self.device).type}) "
            f"{json.dumps(chosen, sort_keys=True)}"
        )

    def with_heads(self, heads: frozenset[Head]) -> VggtConfig:
        """Return the configuration with no other heads than these."""
        return with_heads(self.config, heads)


def chosen_spec(options: NetworkChoice) -> VggtSpec:
    """Return what the user chose. Raises `UserError` naming what cannot be."""
    path = find_vggt(options.weights or USUAL).absolute()
    config = config_of(path)
    if config.camera is None or config.depth is None:
        raise UserError(
            f"{path}: a network without a head of cameras or of depth says too little of a scene. Use one "
            "with both."
        )
    return VggtSpec(path, config, chosen_device(options), chosen_precision(options), chosen_fill(options))


def open_vggt(spec: VggtSpec, heads: frozenset[Head]) -> Vggt:
    """Return the network of a spec with some of its heads. Raises `FormatError` when the file holds another
    network, or not these heads.
    """
    network = load_vggt(spec.path, spec.device, VggtOptions(heads, PRECISIONS[spec.precision], spec.config))
    present = {
        "camera": network.camera_head,
        "depth": network.depth_head,
        "points": network.point_head,
        "track": network.track_head,
    }
    if absent := sorted(head for head in heads if present[head] is None):
        raise UserError(
            f"{spec.path}: holds no weights for {' and '.join(absent)}, which this needs. Use a "
            "checkpoint with all heads."
        )
    return network


def grid_for(views: list[View] | tuple[View, ...], spec: VggtSpec) -> VggtGrid:
    """Return which images the network sees: whole photos. Only of upright ones would the published way
    without bars cut off top and bottom.
    """
    upright = any(w < h for w, h in (view.photo_size for view in views))
    return VggtGrid("pad" if upright else "crop", spec.size, spec.config.aggregator.patch_size)
