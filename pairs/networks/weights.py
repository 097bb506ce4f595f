"""Files of weights from strangers: only tensors, plain containers and one known record are ever read; nothing
in a file is run.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from masks.errors import FormatError, MissingExtraError, UserError
from masks.notice import first_few
from masks.reading import reading, shown
from pairs.networks.plain_pickle import require_plain

MODELS_VARIABLE = "POINTLOOM_MODELS"
"""Environment variable that names the folder of checkpoints."""
_DEVICES = ("cpu", "cuda", "mps")


def read_pickled(path: Path) -> Any:
    """Return what a torch file holds, if that is tensors, plain containers and the record of a program's
    arguments.

    Tensors are mapped from the file, not copied. Raises `FormatError` for anything else.
    """
    with reading(path, "Download it again.", "the checkpoint is damaged"):
        if not zipfile.is_zipfile(path):
            size = path.stat().st_size
            raise FormatError(
                f"{path}: is no torch checkpoint, or was cut off while it was downloaded ({size} bytes). "
                "Download it again."
            )
        require_plain(_pickle_of(path))
        try:
            # Published files hold their program's arguments in it: a record of plain values that runs nothing
            # when it is made.
            with torch.serialization.safe_globals([argparse.Namespace]):
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except pickle.UnpicklingError as error:
            named = re.search(r"GLOBAL (\S+)", str(error))
            what = f"the object {named[1]}" if named else "something other than weights"
            raise FormatError(
                f"{path}: holds {what}, and is not read because that could run a program. Use a published "
                "checkpoint."
            ) from error


def _pickle_of(path: Path) -> bytes:
    """Return the pickle of a torch file. Raises `FormatError` for a file with packed entries: torch writes
    none, and a megabyte may unfold to a thousand.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        held = sum(entry.file_size for entry in entries)
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or held > path.stat().st_size:
            raise FormatError(
                f"{path}: its entries are compressed, which no torch checkpoint's are. Use a published one."
            )
        return archive.read(next(e for e in entries if e.filename.endswith("/data.pkl")))


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file. Raises `FormatError` when it is damaged."""
    with reading(path, "Download the file again.", "the weights are damaged"):
        return load_file(path)


def plain_tensors(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Return a state dict by name. Raises `FormatError` when it holds anything but plain tensors of
    numbers.
    """
    wrong = [
        shown(name) for name, tensor in state.items() if not isinstance(name, str) or not _is_plain(tensor)
    ]
    if wrong:
        raise FormatError(
            f"{path}: these weights are no plain tensors of numbers: {first_few(wrong)}. Use a published "
            "checkpoint."
        )
    return dict(state)


def require_finite(state: Mapping[str, Tensor], path: Path | str) -> None:
    """Raise `FormatError` when a tensor holds a number that is not finite."""
    damaged = [name for name, tensor in state.items() if not _is_finite(tensor)]
    if damaged:
        raise FormatError(
            f"{path}: {len(damaged)} tensors hold no finite numbers: {first_few(damaged)}. Download it again."
        )


def _is_finite(tensor: Tensor) -> bool:
    """Tell whether all numbers are finite. A sum shows any that is not, and takes a twentieth of the time of
    looking at each.
    """
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _is_plain(value: object) -> bool:
    """Tell whether a value is a tensor of numbers that is as large in the file as it says: one that repeats a
    few bytes could ask for any memory.
    """
    if not isinstance(value, Tensor):
        return False
    # Torch answers isinstance itself, so a type checker does not know by now what it is.
    tensor = cast(Tensor, value)
    if tensor.layout != torch.strided or not tensor.is_floating_point() or tensor.device.type != "cpu":
        return False
    # Strides of 0 make one number look like a billion.
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def from_hub(name: str, ask: Callable[[Any], str], remedy: str) -> Path:
    """Return where the weights of that name lie in the hub's cache, downloaded when they are not there.

    `ask` is given the client and calls its download; `remedy` says how to do without. Raises
    `MissingExtraError` without the client, `UserError` when the download fails.
    """
    try:
        import huggingface_hub as client
    except ImportError as error:
        absent = (
            "the package huggingface-hub, which downloads them, is not installed. Run 'pip install "
            "pointloom[networks]'. Or:"
        )
        raise MissingExtraError(
            f"{name}: its weights are not on this machine, and {absent} {remedy}."
        ) from error
    try:
        return Path(ask(client))
    except _failures(client) as error:
        reason = str(error).strip().partition("\n")[0].removesuffix(".")
        raise UserError(
            f"{name}: its weights are not on this machine and could not be downloaded ({reason}). {remedy}."
        ) from error


def _failures(client: ModuleType) -> tuple[type[Exception], ...]:
    """Return what a download raises: answers of the hub are OSErrors, but a connection that breaks under way
    has errors of its own.
    """
    named = (
        getattr(getattr(client, "errors", None), name, None) for name in ("HTTPError", "XetDownloadError")
    )
    return (OSError, RuntimeError, *(error for error in named if error is not None))


def known_device(name: str | torch.device) -> torch.device:
    """Return the device of that name. Raises `UserError` when torch knows none, or this machine has none."""
    try:
        target = torch.device(name)
    except RuntimeError as error:
        raise UserError(
            f"device {name}: unknown. Use cpu, cuda, or cuda:1 for the second accelerator."
        ) from error
    if target.type not in _DEVICES:
        raise UserError(f"device {target}: networks run on {', '.join(_DEVICES)}. Use one of them.")
    if target.type == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"device {target}: this machine has no CUDA accelerator, or torch was installed without it. "
            "Use the device cpu."
        )
    if target.type == "cuda" and (target.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device {target}: this machine has {torch.cuda.device_count()} CUDA accelerators, numbered "
            "from 0. Use one of them."
        )
    if target.type == "mps" and not torch.backends.mps.is_available():
        raise UserError(
            f"device {target}: this machine has no Apple accelerator, or torch was installed without it. "
            "Use the device cpu."
        )
    return target


def models_folder() -> Path:
    """Return the folder in which published checkpoints are looked for."""
    return Path(os.environ.get(MODELS_VARIABLE) or Path.home() / ".cache" / "pointloom" / "models")


@dataclass(frozen=True, slots=True)
class Fit:
    """How the tensors of a checkpoint agree with the network that its configuration asks for."""

    parameters: int
    """Of the network; shared ones count once."""
    missing: tuple[str, ...]
    """Names that the network has and the checkpoint has not."""
    unexpected: tuple[str, ...]
    """Names that only the checkpoint has."""
    misshapen: tuple[str, ...]
    """Names with both shapes, where they differ."""

    @property
    def good(self) -> bool:
        """Whether every tensor of the network is there in its shape."""
        return not self.missing and not self.misshapen


def fit_state(network: nn.Module, state: Mapping[str, Tensor], optional: frozenset[str] = frozenset()) -> Fit:
    """Compare tensors with those that a network asks for, which may be without memory; `optional` ones are
    never missing.
    """
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    have = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return Fit(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        missing=tuple(name for name in own if name not in have and name not in optional),
        unexpected=tuple(name for name in have if name not in own),
        misshapen=tuple(
            f"{name} {have[name]} instead of {own[name]}"
            for name in own
            if name in have and have[name] != own[name]
        ),
    )


def misfit(found: Fit) -> str:
    """Return in words what does not fit, the first few names of each sort; empty when everything does."""
    parts = (
        ("missing", found.missing),
        ("of another shape", found.misshapen),
        ("not expected", found.unexpected),
    )
    return " ".join(f"{len(names)} tensors {what}: {first_few(names)}." for what, names in parts if names)
