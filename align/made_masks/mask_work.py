"""The photos that masks are made of, and what all steps of the work need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from align.made_masks.shown import Box, Click
from masks.image_file import ImageFacts
from masks.making.evidence import Evidence
from masks.making.made import MakingOptions
from masks.making.pictures import working_pictures
from masks.making.refine import Refined, refined
from masks.progress import Progress
from pairs.backends.classical.backend import Classical, make_classical
from pairs.prediction.store import PredictionStore, user_store_folder
from pairs.views.load import LoadOptions


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """How masks are made with the help of cameras."""

    making: MakingOptions = field(default_factory=MakingOptions)
    shown: tuple[Box | Click, ...] = ()
    """Where a user points at the object, and beside it: by the scene's road."""
    stand: Literal["cut", "keep"] = "cut"
    """What becomes of a disc with marks that turns with the object."""
    load: LoadOptions = field(default_factory=LoadOptions)
    """How the photos are read, and what is known of their cameras."""
    backend: Classical = field(default_factory=make_classical)
    store: Path | None = None
    """Folder of finished steps; none: one of the user's cache."""


@dataclass(frozen=True, slots=True)
class MaskWork:
    """Photos that are being masked."""

    facts: Sequence[ImageFacts]
    pictures: Sequence[np.ndarray]  # the working pictures, (h, w, 3) uint8
    options: MaskOptions
    store: PredictionStore
    progress: Progress

    @property
    def names(self) -> list[str]:
        """Those of the photos."""
        return [fact.path.name for fact in self.facts]

    def refined(self, evidence: Evidence, seeds: Sequence[np.ndarray] | None = None) -> Refined:
        """Return the outlines that evidence has in the working pictures."""
        return refined(evidence, self.pictures, seeds, self.options.making.holes, self.progress)


def mask_work(facts: Sequence[ImageFacts], options: MaskOptions, progress: Progress) -> MaskWork:
    """Begin the work: read the photos. Raises `ImageError` for one that cannot be decoded."""
    pictures = working_pictures(facts, progress=progress)
    store = PredictionStore(options.store or user_store_folder())
    store.sweep()
    progress("looking at the backdrop", 0, 1)
    return MaskWork(facts, pictures, options, store, progress)
