"""What a backend is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol, runtime_checkable

import networkx
import numpy as np

from masks.errors import UserError
from masks.notice import Notice
from masks.progress import Progress
from pairs.prediction.predictions import Matches, Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.view import View


class Backend(Protocol):
    """Answers for the pairs of a graph. Equal inputs give equal predictions, in whatever order they are asked
    for.
    """

    @property
    def key(self) -> str:
        """Name, version and options in one line: equal lines and equal views give equal predictions.

        Keys of the store begin with name and version, and hold of the options only those that can change the
        entry.
        """
        ...

    @property
    def own_grid(self) -> str:
        """In words the grid that pairs are predicted on, whatever grid the views come on; empty: it is that
        of the views.
        """
        ...

    def predict(
        self, views: Sequence[View], graph: networkx.Graph | None, store: PredictionStore, progress: Progress
    ) -> Predictions:
        """Predict the pairs of `graph` (nodes are indices into `views`), reading from and writing to `store`
        what is finished.

        Without a graph the backend chooses the pairs. The views of the predictions are on the grid of the
        predictions.
        """
        ...


@runtime_checkable
class SimilarityBackend(Protocol):
    """What a backend offers beside that can tell how alike photos are, before any pair is predicted."""

    def similarity(self, views: Sequence[View], store: PredictionStore, progress: Progress) -> np.ndarray:
        """Return how alike the views are (V, V), row: asked for, column: found. Raises `UserError` when it
        was given no model for that.
        """
        ...


@runtime_checkable
class MatchesPhotos(Protocol):
    """What a backend offers beside that can match two photos without a scene: many that match well do not
    tell where the cameras stood.
    """

    def match(self, a: View, b: View) -> tuple[Matches, tuple[Notice, ...]]:
        """Return the matches on the views' grids, maybe none, and what has to be said about them."""
        ...


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What can be chosen about a backend that is a network. What is none is the backend's choice."""

    weights: str | Path | None = None
    """A `.pth` file, a Hugging Face folder, or the name of a published checkpoint."""
    device: str | None = None
    """Where it runs: cpu, cuda, cuda:1."""
    precision: str | None = None
    """Of its encoder and decoders: float32, bfloat16, float16."""
    batch: int | None = None
    """Pairs that are decoded at once, memory permitting."""
    fill: str | None = None
    """What stands behind the object when the network looks, by the names of `masks.fill`."""
    retrieval: Path | None = None
    """File of a retrieval head, made for this network, with its codebook beside it."""
    engine: str | None = None
    """Where the work runs: process (on this machine), or ray."""
    max_frames: str | None = None
    """Photos that a network of groups looks at together: auto, all, or a number."""


def refuse_network_options(name: str, options: BackendOptions) -> None:
    """Raise `UserError` when something was chosen that the backend of that name has not: all but where it
    runs.
    """
    if given := _chosen(options, ("engine",)):
        raise UserError(
            f"{given}: the backend {name} is no network and has no weights. Choose one, as in --backend "
            "mast3r, or omit this."
        )


def refuse_other_options(name: str, options: BackendOptions, heard: Collection[str]) -> None:
    """Raise `UserError` when something was chosen beside what the backend of that name, a network,
    hears of.
    """
    if given := _chosen(options, heard):
        raise UserError(f"{given}: means nothing to the backend {name}. Omit it, or choose another backend.")


def _chosen(options: BackendOptions, heard: Collection[str]) -> str:
    """Return what was chosen, as on the command line, without the fields that are heard of."""
    chosen = {
        field.name: getattr(options, field.name) for field in fields(options) if field.name not in heard
    }
    return ", ".join(
        f"--{name.replace('_', '-')} {value}" for name, value in chosen.items() if value is not None
    )
