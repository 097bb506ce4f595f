"""The benchmark of sources of depth tells of every source how wrong, how rough and how complete it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from depths import cells, ring_rows
from simulated import Recipe
from small_predictions import DEPTHS as TRUE_DEPTHS
from small_predictions import NUM_VIEWS, TRUTH, predictions
from small_scene import FOCAL, HEIGHT, WIDTH

from align.global_alignment import align_predictions
from align.presets import DEPTHS, POINTLOOM
from pairs.backends.precomputed import write_predictions

RECIPE = Recipe("vase", NUM_VIEWS, 0, "ring")
TRUE = [depth.numpy() for depth in TRUE_DEPTHS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small exact scene, as if it had been simulated."""
    folder = tmp_path_factory.mktemp("scenes")
    mask = np.ones((HEIGHT, WIDTH), bool)
    write_predictions(predictions(mask=mask), folder / RECIPE.name)
    masks = np.tile(mask, (NUM_VIEWS, 1, 1))
    truth = folder / RECIPE.name / "truth.npz"
    np.savez(truth, cam_from_world=TRUTH, focal=FOCAL, depth=np.stack(TRUE), mask=masks)
    return folder


def test_every_source_has_a_row(folder: Path) -> None:
    rows = list(ring_rows(RECIPE, "pointloom", folder, DEPTHS))
    assert [row[0] for row in rows] == list(DEPTHS)
    assert all(float(row[1]) < 0.3 for row in rows)
    assert [row[-1] == "-" for row in rows] == [True, False, False]


def test_errors_know_no_scale_and_holes_are_counted() -> None:
    scene = align_predictions(predictions(), POINTLOOM)
    exact = replace(
        scene,
        views=tuple(
            replace(view, depth=(3 * true).astype(np.float32)) for view, true in zip(scene.views, TRUE)
        ),
    )
    assert [float(cell) for cell in cells(exact, TRUE)[:5]] == [0, 0, 0, 0, 100]
    rough = np.where(np.indices((HEIGHT, WIDTH)).sum(0) % 2, 1.02, 1.0)
    holes = np.arange(HEIGHT)[:, None] < HEIGHT // 2
    spoiled = replace(
        exact,
        views=tuple(replace(view, depth=np.where(holes, 0, view.depth * rough)) for view in exact.views),
    )
    found = [float(cell) for cell in cells(spoiled, TRUE)]
    assert found[4] == 50
    assert 0.9 < found[3] < 1.1
