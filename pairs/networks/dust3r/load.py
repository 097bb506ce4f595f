"""Networks by name or by file."""

from __future__ import annotations

from pathlib import Path

import torch

from masks.errors import UserError
from pairs.networks.dust3r.checkpoint import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    build_network,
    is_checkpoint,
    read_checkpoint,
)
from pairs.networks.dust3r.network import PairNetwork
from pairs.networks.weights import MODELS_VARIABLE, from_hub, known_device, models_folder

PUBLISHED = (
    "DUSt3R_ViTLarge_BaseDecoder_224_linear",
    "DUSt3R_ViTLarge_BaseDecoder_512_linear",
    "DUSt3R_ViTLarge_BaseDecoder_512_dpt",
    "MASt3R_ViTLarge_BaseDecoder_512_catmlpdpt_metric",
)
"""Checkpoints of the two papers."""
SHORT_NAMES = {"dust3r": PUBLISHED[2], "mast3r": PUBLISHED[3]}
"""The best network of each paper."""

_HUB_OWNER = "naver"


def load_network(
    name_or_path: str | Path, device: str | torch.device = "cpu", precision: torch.dtype = torch.float32
) -> PairNetwork:
    """Return a network ready to be asked: a `.pth` file, a Hugging Face folder, or a published one by its
    name.

    Encoder and decoders run in `precision`, heads always in float32. Raises `UserError` when there is no such
    file, name or device, `FormatError` when the file is not what it should be.
    """
    target = known_device(device)
    network = build_network(read_checkpoint(find_checkpoint(name_or_path)), precision)
    # Tokens become maps with the channels last: where the weights of convolutions lie so too, the CPU's head
    # is a seventh faster.
    return network.to(memory_format=torch.channels_last) if target.type == "cpu" else network.to(target)


def find_checkpoint(name_or_path: str | Path) -> Path:
    """Return where a checkpoint lies: of a published name the file in the models folder, else the one from
    the hub; else the path itself.
    """
    name = SHORT_NAMES.get(str(name_or_path), str(name_or_path).removeprefix(f"{_HUB_OWNER}/"))
    # A published name is a name, also where a folder is called so: users of a paper's program have its clone,
    # `mast3r`, beside their photos. `./mast3r` is that folder.
    if name not in PUBLISHED or isinstance(name_or_path, Path):
        path = Path(name_or_path).expanduser()
        if path.exists():
            return path
        known = ", ".join((*SHORT_NAMES, *PUBLISHED))
        raise UserError(
            f"{name_or_path}: no such file, and no published network of that name. Give a .pth file, a "
            f"folder, or one of {known}."
        )
    for candidate in (models_folder() / f"{name}.pth", models_folder() / name):
        if candidate.exists() and is_checkpoint(candidate):
            return candidate
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    """Return the folder of a published network in the hub's cache, downloaded when it is not there."""
    remedy = (
        f"Download {name}.pth yourself, and put it into {models_folder()} (or name it by its path; "
        f"{MODELS_VARIABLE} names another folder)"
    )
    return from_hub(
        name,
        lambda hub: hub.snapshot_download(f"{_HUB_OWNER}/{name}", allow_patterns=[CONFIG_NAME, WEIGHTS_NAME]),
        remedy,
    )
