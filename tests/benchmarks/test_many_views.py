"""The benchmark of many views tells of every stage, of cleaning, and of choosing pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from many_views import cleaned_cells, measure, pair_table, stage_table, uncleaned
from PIL import Image
from simulated import Recipe, simulated
from small_predictions import NUM_VIEWS

RECIPE = Recipe("vase", NUM_VIEWS, 0, "ring")


def test_every_stage_is_told_with_its_seconds(ring_folder: Path) -> None:
    cost = measure(ring_folder / RECIPE.name)
    stages = ["program", "reading views", "reading pairs", "canonical views", "starting poses", "aligning"]
    assert list(cost.seconds) == [*stages, "depth maps", "cleaning", "saving"]
    assert all(seconds >= 0 for seconds in cost.seconds.values())
    assert 0 < cost.held_mb <= cost.peak_mb


def test_a_row_is_printed_from_a_fresh_process(ring_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_table([NUM_VIEWS], ring_folder)
    head, _, row = capsys.readouterr().out.strip().splitlines()
    assert head.split(" | ")[1] == "program"
    assert row.split(" | ")[0] == f"| {NUM_VIEWS}"
    assert head.count("|") == row.count("|")


def test_what_cleaning_keeps_is_told(ring_folder: Path) -> None:
    found = uncleaned(simulated(RECIPE, ring_folder))
    assert np.nanmax(found.error) < 0.02
    _, right, _ = cleaned_cells(found, None)
    assert float(right) > 90


def test_choosing_pairs_of_photos_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for k in range(3):
        noise = Image.fromarray(rng.integers(0, 256, (20, 30), dtype=np.uint8)).resize((300, 200))
        noise.convert("RGB").save(tmp_path / f"{k}.png")
    pair_table(tmp_path, None, [2, 3])
    rows = [line.split(" | ") for line in capsys.readouterr().out.strip().splitlines()[2:]]
    assert [row[0] for row in rows] == ["| 2", "| 3"]
    assert [row[1:3] for row in rows] == [["1", "1"], ["3", "3"]]
