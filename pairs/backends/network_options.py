"""What a user chooses about a network, whichever it is: checked, and with the usual choice in the place of
none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import PIL
import torch

from masks.errors import UserError
from masks.fill import fill_named
from pairs.engines.engines import Engine, engine_named
from pairs.engines.processes import Processes
from pairs.engines.ray_engine import Ray
from pairs.networks.weights import known_device

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Of encoder and decoders, by the names that the command line takes."""

_FILL = "mean"
"""A background of the object's mean colour carries no descriptor of its own and no loud edge along the
silhouette."""


class NetworkChoice(Protocol):
    """What can be chosen about any network. What is none is the backend's choice."""

    @property
    def weights(self) -> str | Path | None:
        """Checkpoint: a file, a Hugging Face folder, or a published name."""
        ...

    @property
    def device(self) -> str | None:
        """Where it runs: cpu, cuda, cuda:1, mps."""
        ...

    @property
    def precision(self) -> str | None:
        """Of its encoder and decoders: float32, bfloat16, float16."""
        ...

    @property
    def fill(self) -> str | None:
        """What stands behind the object when the network looks, by the names of `masks.fill`."""
        ...


def chosen_device(options: NetworkChoice) -> str:
    """Return where a network runs. Raises `UserError` when there is no such device."""
    return str(known_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu")))


def chosen_precision(options: NetworkChoice) -> str:
    """Return the name of a precision. Raises `UserError` listing them when there is none of that name."""
    name = options.precision or "float32"
    if name not in PRECISIONS:
        raise UserError(f"`precision={name}`: unknown. Choose one of {', '.join(PRECISIONS)}.")
    return name


def chosen_fill(options: NetworkChoice) -> str:
    """Return the name of a fill. Raises `UserError` listing them when there is none of that name."""
    name = options.fill or _FILL
    fill_named(name)
    return name


def chosen_engine(name: str, device: str) -> Engine:
    """Return where a network on that device runs: in this process, or where the user says. Raises `UserError`
    for an unknown name.
    """
    threads = torch.get_num_threads()
    return engine_named(name, Processes(1), lambda: Ray(threads=threads, accelerator=device != "cpu"))


def libraries() -> str:
    """Return the releases of what computes: another one rounds otherwise, and a store that outlives an
    upgrade must not mix the two.
    """
    return (
        f"torch {torch.__version__}, opencv {cv2.__version__}, pillow {PIL.__version__}, numpy "
        f"{np.__version__}"
    )
