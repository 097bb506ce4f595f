"""Files of weights from strangers: only tensors, plain containers and one known record are ever read; nothing in a file is run."""

from __future__ import annotations

import argparse
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from masks.errors import FormatError
from masks.notice import first_few

# The restricted unpickler rebuilds tensors from whatever a damaged file says of them, and every operation in it can be the one that fails.
_DAMAGE = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, EOFError, OSError)
_DAMAGE += (struct.error, zipfile.BadZipFile)


def read_pickled(path: Path) -> Any:
    """Return what a torch file holds, if that is tensors, plain containers and the record of a program's arguments.

    Tensors are mapped from the file, not copied. Raises `FormatError` for anything else.
    """
    try:
        if not zipfile.is_zipfile(path):
            size = path.stat().st_size
            raise FormatError(f"{path}: is no torch checkpoint, or was cut off while it was downloaded ({size} bytes). Download it again.")
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f"the object {named[1]}" if named else "something other than weights"
        raise FormatError(f"{path}: holds {what}, and is not read because that could run a program. Use a published checkpoint.") from error
    except _DAMAGE as error:
        raise FormatError(f"{path}: the checkpoint is damaged ({str(error)[:120]}). Download it again.") from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file. Raises `FormatError` when it is damaged."""
    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise FormatError(f"{path}: the weights are damaged ({error}). Download the file again.") from error


def plain_tensors(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Return a state dict by name. Raises `FormatError` when it holds anything but plain tensors of numbers."""
    wrong = [str(name) for name, tensor in state.items() if not isinstance(name, str) or not _is_plain(tensor)]
    if wrong:
        raise FormatError(f"{path}: these weights are no plain tensors of numbers: {first_few(wrong)}. Use a published checkpoint.")
    return dict(state)


def _is_plain(value: object) -> bool:
    """Tell whether a value is a tensor of numbers that is as large in the file as it says: one that repeats a few bytes could ask for any memory."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or not value.is_floating_point() or value.device.type != "cpu":
        return False
    return value.untyped_storage().nbytes() >= value.numel() * value.element_size()
