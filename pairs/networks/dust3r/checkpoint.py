"""Checkpoint files: the published `.pth` files and the folders of the Hugging Face hub
(docs/pair_networks.md, "Checkpoint files").

A checkpoint is a stranger's file until it is parsed: only tensors, plain containers and one known record are
ever unpickled, and no memory is taken for a network before the sizes of its tensors agree with its
configuration.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from masks.errors import FormatError
from masks.notice import first_few
from masks.reading import read_json, reading
from pairs.networks.dust3r.config import DptWidths, NetworkConfig
from pairs.networks.dust3r.constructor import config_from_json, config_from_string, loaded_form
from pairs.networks.dust3r.network import PairNetwork
from pairs.networks.weights import (
    Fit,
    fit_state,
    misfit,
    plain_tensors,
    read_pickled,
    read_safetensors,
    require_finite,
)

CONFIG_NAME, WEIGHTS_NAME = "config.json", "model.safetensors"
"""The two files of a Hugging Face folder."""

_MOST_CONFIG_BYTES = 1_000_000
_PRETRAINING = ("prediction_head.", "enc_pos_embed", "dec_pos_embed")
"""Entries of a pretraining checkpoint that a pair network has no place for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as read: what to build, and its tensors by the network's names."""

    path: Path
    config: NetworkConfig
    state: Mapping[str, Tensor]
    """On the CPU. Those of a `.pth` file are mapped from the file, not copied."""


def is_checkpoint(path: Path) -> bool:
    """Tell whether a path looks like a checkpoint: a name that ends in .pth or .pt, or a folder with one of a
    network's two files.
    """
    if path.is_dir():
        return (path / CONFIG_NAME).is_file() or (path / WEIGHTS_NAME).is_file()
    return path.suffix.lower() in (".pth", ".pt")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a `.pth` file or a Hugging Face folder. Raises `FormatError` naming what is wrong with it."""
    config, state = _read_folder(path) if path.is_dir() else _read_pth(path)
    state = _renamed(state)
    if config.dpt is not None:
        config = replace(config, dpt=_dpt_widths(state, path))
    return Checkpoint(path, loaded_form(config), state)


def fit(checkpoint: Checkpoint) -> Fit:
    """Compare a checkpoint with the network that its configuration asks for, without taking memory for it."""
    with reading(checkpoint.path, "Use a published checkpoint.", "describes no network that can be"):
        network = _empty_network(checkpoint.config)
    # The mask token serves pretraining only, and some files are without it.
    return fit_state(network, checkpoint.state, optional=frozenset({"mask_token"}))


def require_fit(checkpoint: Checkpoint) -> Fit:
    """Return how a checkpoint fits. Raises `FormatError` naming the first tensors that are missing or of
    another shape.
    """
    found = fit(checkpoint)
    if not found.good:
        raise FormatError(
            f"{checkpoint.path}: {misfit(found)} Its weights and its configuration are of two networks: "
            "download it again."
        )
    return found


def build_network(checkpoint: Checkpoint, precision: torch.dtype = torch.float32) -> PairNetwork:
    """Return the network with the checkpoint's weights, on the CPU, ready to be asked: weights are shared
    with the checkpoint and frozen.

    Raises `FormatError` naming the first tensors that are missing, of another shape or not finite. Tensors
    that the network has no place for are logged.
    """
    unexpected = require_fit(checkpoint).unexpected
    if unexpected:
        _log.warning("%s: not used: %s.", checkpoint.path, first_few(unexpected))
    network = _empty_network(checkpoint.config, precision)
    state = {name: tensor.float() for name, tensor in checkpoint.state.items() if name not in unexpected}
    require_finite(state, checkpoint.path)
    state.setdefault("mask_token", torch.zeros(1, 1, checkpoint.config.decoder.dim))
    # Assigned, not copied: the weights stay the pages of the mapped file, so opening takes no second 2.7 GB.
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _empty_network(config: NetworkConfig, precision: torch.dtype = torch.float32) -> PairNetwork:
    # Shapes without memory: a file that lies about its sizes is found out before it can ask for any.
    with torch.device("meta"):
        return PairNetwork(config, precision)


def _read_pth(path: Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    if not path.is_file():
        raise FormatError(
            f"{path}: no such file. Name a .pth checkpoint, or a folder with {CONFIG_NAME} and "
            f"{WEIGHTS_NAME}."
        )
    content = read_pickled(path)
    text = getattr(content.get("args"), "model", None) if isinstance(content, dict) else None
    if not isinstance(text, str) or not isinstance(content.get("model"), dict):
        raise FormatError(
            f"{path}: holds no pair network (no 'model' with weights, or no 'args.model' that describes "
            "it). Use a published checkpoint."
        )
    return config_from_string(text, str(path)), plain_tensors(content["model"], path)


def _read_folder(folder: Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise FormatError(
                f"{folder}: holds no {name}. Name a .pth file, or a folder with {CONFIG_NAME} and "
                f"{WEIGHTS_NAME}."
            )
    path = folder / CONFIG_NAME
    if path.stat().st_size > _MOST_CONFIG_BYTES:
        raise FormatError(
            f"{path}: is {path.stat().st_size} bytes long: this is no configuration of a network. Download "
            "the folder again."
        )
    arguments = read_json(path, "Download the folder again.")
    return config_from_json(arguments, str(path)), plain_tensors(
        read_safetensors(folder / WEIGHTS_NAME), folder
    )


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under every name that the network has for them, without those of pretraining."""
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(_PRETRAINING)}
    if not any(name.startswith("dec_blocks2.") for name in kept):
        kept |= {
            name.replace("dec_blocks.", "dec_blocks2.", 1): tensor
            for name, tensor in kept.items()
            if name.startswith("dec_blocks.")
        }
    # The four projections of a DPT have two names each, and files may hold either or both.
    for name in list(kept):
        kept.setdefault(_other_name(name), kept[name])
    return kept


def _other_name(name: str) -> str:
    """Return the other name of a tensor that has two, else its own."""
    if found := re.fullmatch(r"(.*\.scratch\.)layer([1-4])_rn\.weight", name):
        return f"{found[1]}layer_rn.{int(found[2]) - 1}.weight"
    if found := re.fullmatch(r"(.*\.scratch\.)layer_rn\.([0-3])\.weight", name):
        return f"{found[1]}layer{int(found[2]) + 1}_rn.weight"
    return name


def _dpt_widths(state: Mapping[str, Tensor], path: Path) -> DptWidths:
    """Return the widths that the tensors of a DPT show (docs/pair_networks.md, "Checkpoint files"); no
    configuration states them.
    """
    head = "downstream_head1.dpt"
    names = (
        *(f"{head}.act_postprocess.{k}.0.weight" for k in range(4)),
        f"{head}.scratch.layer_rn.0.weight",
        f"{head}.head.2.weight",
    )
    missing = [name for name in names if name not in state or state[name].ndim == 0]
    if missing:
        raise FormatError(
            f"{path}: {len(missing)} tensors of the DPT head are missing: {first_few(missing)}. Use a "
            "published checkpoint."
        )
    first, second, third, fourth, features, last = (len(state[name]) for name in names)
    return DptWidths((first, second, third, fourth), features, last)
