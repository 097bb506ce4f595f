"""Masks that are made: how, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from masks.making.check import MaskFigures
from masks.making.choice import Choice, Road
from masks.making.network import SalientModel, network_evidence, with_network
from masks.making.refine import Holes
from masks.making.roads import Taken
from masks.mask import Mask
from masks.notice import Notice


@dataclass(frozen=True, slots=True)
class MakingOptions:
    """How masks are made."""

    road: Road | None = None
    """None: the first that is sure."""
    empty: Path | None = None
    """A photo of the backdrop without the object, by the same camera in the same place."""
    holes: Holes = "colour"
    model: Path | None = None
    """A network of salient objects, an ONNX file: it helps where photos say nothing."""


@dataclass(frozen=True, slots=True)
class MadeMasks:
    """Masks of upright photos, and what is to be known of them."""

    masks: tuple[Mask, ...]
    pictures: tuple[np.ndarray, ...]  # the working pictures, (h, w, 3) uint8
    figures: tuple[MaskFigures, ...]
    choice: Choice
    notices: tuple[Notice, ...]


def helped(taken: Taken, pictures: Sequence[np.ndarray], model: SalientModel) -> Taken:
    """Return a road with what a network adds to it; where no road was sure, the network's own."""
    if taken.evidence is not None:
        return replace(taken, evidence=with_network(taken.evidence, pictures, model))
    choice = Choice(Road.NETWORK, f"{taken.choice.reason}, but a network is given")
    return replace(taken, choice=choice, evidence=network_evidence(pictures, model))


def refusal(reason: str) -> str:
    """Return what to tell where no road was sure."""
    return (
        f"no masks were made: {reason}. Give masks, or make them by pointloom masks with a photo of the "
        "empty backdrop (`empty`) or a box around the object in one photo (`box`)."
    )
