"""VGGT by name or by file (docs/vggt.md, "Checkpoints")."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from masks.errors import FormatError, UserError
from masks.notice import first_few
from masks.reading import reading
from pairs.networks.vggt.config import VGGT_1B, VGGT_TRACKER_FIXED, Head, VggtConfig, with_heads
from pairs.networks.vggt.config_file import CONFIG_NAME, read_config
from pairs.networks.vggt.network import Vggt
from pairs.networks.weights import (
    MODELS_VARIABLE,
    Fit,
    fit_state,
    from_hub,
    known_device,
    misfit,
    models_folder,
    plain_tensors,
    read_pickled,
    read_safetensors,
    require_finite,
)

ALL_HEADS: frozenset[Head] = frozenset(get_args(Head))

_PARTS: Mapping[Head, str] = {
    "camera": "camera_head.",
    "depth": "depth_head.",
    "points": "point_head.",
    "track": "track_head.",
}
"""How the names of each head's tensors begin."""
_OWNER = "facebook"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """A published checkpoint."""

    file: str
    """Its name on the hub."""
    config: VggtConfig = VGGT_1B


PUBLISHED: Mapping[str, Published] = {
    "VGGT-1B": Published("model.pt"),
    "VGGT-1B-Commercial": Published("model.pt"),
    "VGGT_tracker_fixed": Published("model_tracker_fixed_e20.pt", VGGT_TRACKER_FIXED),
}
"""Published checkpoints by repository. All but the second are for non-commercial use; the second is given out
on application."""


@dataclass(frozen=True, slots=True)
class VggtOptions:
    """Which part of a checkpoint is built, and how it runs."""

    heads: frozenset[Head] = ALL_HEADS
    """Heads to build; those that the file does not hold are left out as well."""
    precision: torch.dtype = torch.float32
    """Of the aggregator; the heads are always float32."""
    config: VggtConfig | None = None
    """What the file was trained as; without it, what the configuration beside the file says, else the
    published network of the file's name."""


def load_vggt(
    name_or_path: str | Path, device: str | torch.device = "cpu", options: VggtOptions | None = None
) -> Vggt:
    """Return the network ready to be asked: a `.pt` or `.safetensors` file, a folder with one of them, or a
    published one by its name.

    Raises `UserError` when there is no such file, name or device, `FormatError` when the file is not what it
    should be. What is left out of the file on purpose is logged.
    """
    options, target = options or VggtOptions(), known_device(device)
    path = find_vggt(name_or_path)
    network = build_vggt(read_state(path), options.config or config_of(path), options, str(path))
    # Tokens become maps with the channels last: where the weights of convolutions lie so too, the heads are a
    # sixth faster on the CPU.
    return network.to(memory_format=torch.channels_last) if target.type == "cpu" else network.to(target)


def build_vggt(state: Mapping[str, Tensor], config: VggtConfig, options: VggtOptions, source: str) -> Vggt:
    """Return the network with a checkpoint's weights, on the CPU, frozen. Raises `FormatError` naming the
    tensors that do not fit.
    """
    present = frozenset(head for head, part in _PARTS.items() if any(name.startswith(part) for name in state))
    # A head that a file does not hold is left out, not drawn at random: the published fine-tuning writes two.
    built = with_heads(config, options.heads & present)
    skipped = tuple(part for head, part in _PARTS.items() if head in present - options.heads)
    if absent := sorted(options.heads - present):
        _log.warning("%s: has no weights for: %s.", source, ", ".join(absent))
    if skipped:
        _log.info("%s: not loaded, as asked: %s.", source, ", ".join(skipped))
    wanted = (
        {name: tensor for name, tensor in state.items() if not name.startswith(skipped)}
        if skipped
        else dict(state)
    )
    found = fit_state(network := _empty_network(built, source, options.precision), wanted)
    if not found.good:
        raise FormatError(
            f"{source}: {misfit(found)} These are the weights of another network. Use a published "
            "checkpoint of VGGT."
        )
    if found.unexpected:
        _log.warning("%s: not used: %s.", source, first_few(found.unexpected))
    used = {name: tensor.float() for name, tensor in wanted.items() if name not in found.unexpected}
    require_finite(used, source)
    network.load_state_dict(used, assign=True)
    return network.eval().requires_grad_(False)


def is_vggt(path: Path) -> bool:
    """Tell whether a path looks like a checkpoint of VGGT: a `.pt` or `.safetensors` file, or a folder whose
    configuration says so.
    """
    if path.is_dir():
        return (path / CONFIG_NAME).is_file() and read_config(path / CONFIG_NAME) is not None
    return path.is_file() and path.suffix.lower() in (".pt", ".safetensors")


def inspect_vggt(path: Path) -> tuple[VggtConfig, Fit]:
    """Return what network a checkpoint is, with the heads that it holds, and how its tensors fit; no weight
    is copied.
    """
    found = find_vggt(path)
    state = read_state(found)
    config = with_heads(
        config_of(found),
        frozenset(head for head, part in _PARTS.items() if any(name.startswith(part) for name in state)),
    )
    return config, fit_state(_empty_network(config, str(found)), state)


def _empty_network(config: VggtConfig, source: str, precision: torch.dtype = torch.float32) -> Vggt:
    """Return the network without memory for its weights. Raises `FormatError` when there is none of that
    configuration.
    """
    remedy = "Use a published checkpoint."
    with reading(source, remedy, "describes no network that can be"), torch.device("meta"):
        return Vggt(config, precision)


def config_of(path: Path) -> VggtConfig:
    """Return what a checkpoint's file was trained as: what the configuration beside it says, else the
    published network of its name.
    """
    beside = path.parent / CONFIG_NAME
    return (read_config(beside) if beside.is_file() else None) or config_named(path)


def config_named(path: Path) -> VggtConfig:
    """Return the published network that a file's name stands for: only the re-tuned tracker differs, and
    nothing in its tensors tells.
    """
    return (
        VGGT_TRACKER_FIXED
        if any("tracker_fixed" in part for part in (path.name, path.parent.name))
        else VGGT_1B
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint: of the file itself, or under `model` as fine-tuning programs write
    them.
    """
    if path.suffix.lower() == ".safetensors":
        return plain_tensors(read_safetensors(path), path)
    content = read_pickled(path)
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict):
        raise FormatError(f"{path}: holds no weights by name. Use a published checkpoint of VGGT.")
    return plain_tensors(content, path)


def find_vggt(name_or_path: str | Path) -> Path:
    """Return the file of a checkpoint: the path itself or what lies in it, or of a published name the one in
    the models folder, else the hub's.
    """
    name = str(name_or_path).removeprefix(f"{_OWNER}/")
    # A published name is a name, also where a folder is called so: users of a paper's program have its clone
    # beside their photos. A path with a dot before it is a path.
    if name not in PUBLISHED or isinstance(name_or_path, Path):
        path = Path(name_or_path).expanduser()
        if path.is_dir():
            return _in_folder(path)
        if path.exists():
            return path
        known = ", ".join(PUBLISHED)
        raise UserError(
            f"{name_or_path}: no such file, and no published VGGT of that name. Give a .pt or .safetensors "
            f"file, or one of {known}."
        )
    for candidate in (models_folder() / f"{name}.pt", models_folder() / f"{name}.safetensors"):
        if candidate.is_file():
            return candidate
    return _from_hub(name)


def _in_folder(folder: Path) -> Path:
    names = ("model.safetensors", *dict.fromkeys(published.file for published in PUBLISHED.values()))
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FormatError(f"{folder}: holds no checkpoint of VGGT ({', '.join(names)}). Name the file itself.")


def _from_hub(name: str) -> Path:
    """Return the file of a published network in the hub's cache, downloaded when it is not there."""
    file = PUBLISHED[name].file
    place = f"{models_folder() / name}.pt (or name it by its path; {MODELS_VARIABLE} names another folder)"
    remedy = f"Download {file} of {_OWNER}/{name} yourself, and put it there as {place}"
    return from_hub(name, lambda hub: hub.hf_hub_download(f"{_OWNER}/{name}", file), remedy)
