"""A small exact scene, as if it had been simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated import Recipe
from small_predictions import DEPTHS, NUM_VIEWS, TRUTH, predictions
from small_scene import FOCAL, HEIGHT, WIDTH

from pairs.backends.precomputed import write_predictions

RECIPE = Recipe("bump", NUM_VIEWS, 0)
RING = Recipe("vase", NUM_VIEWS, 0, "ring")


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return RECIPE


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small exact scene, as if it had been simulated."""
    return as_simulated(RECIPE, tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def ring_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same under the name of a ring."""
    return as_simulated(RING, tmp_path_factory.mktemp("rings"))


def as_simulated(recipe: Recipe, folder: Path) -> Path:
    mask = np.ones((HEIGHT, WIDTH), bool)
    write_predictions(predictions(mask=mask), folder / recipe.name)
    depth, masks = np.stack([depth.numpy() for depth in DEPTHS]), np.tile(mask, (NUM_VIEWS, 1, 1))
    np.savez(folder / recipe.name / "truth.npz", cam_from_world=TRUTH, focal=FOCAL, depth=depth, mask=masks)
    return folder
