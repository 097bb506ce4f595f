"""Outlines and cameras that contradict each other: which of the two is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from turning_body import MASKS, SIZE, VIEWS, blank_views, folded_cameras, options_with, put_solve, solve_of

from align.made_masks.judging import judged_by_solve
from align.made_masks.mask_work import MaskWork
from align.made_masks.solving import Solved, with_masks
from masks.image_file import ImageFacts
from masks.making.colour import ColourModel
from masks.making.evidence import Evidence
from masks.making.finish import finished_masks
from masks.making.refine import Refined
from masks.notice import Level
from masks.progress import silent
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views


@pytest.fixture
def work(tmp_path: Path) -> MaskWork:
    facts = [ImageFacts(Path(f"{k:02d}.png"), SIZE, 1, False, {}) for k in range(VIEWS)]
    pictures = [view.image for view in blank_views()]
    store = PredictionStore(tmp_path / "store")
    return MaskWork(facts, pictures, options_with(store), store, silent)


@pytest.fixture
def outlines() -> Refined:
    evidence = Evidence(tuple(np.where(mask, 4.0, -4.0).astype(np.float32) for mask in MASKS), "test")
    softs = tuple(mask.astype(np.float32) for mask in MASKS)
    return Refined(softs, evidence, ColourModel(np.zeros((24, 24, 24)), 0.0), (1,) * VIEWS, (0.0,) * VIEWS)


def put_solve_with_masks(work: MaskWork, outlines: Refined, solve: SceneSolve) -> None:
    views = with_masks(blank_views(), finished_masks(outlines, work.facts))
    put_solve(work.store, views, solve)


def test_right_cameras_cut_and_are_not_solved_again(work: MaskWork, outlines: Refined) -> None:
    judged = judged_by_solve(work, outlines, Solved(blank_views(), solve_of()))
    assert judged.comparison is not None
    assert judged.notice.level is Level.INFO
    assert not list(work.store.folder.rglob("*.safetensors"))


def test_cameras_that_folded_are_solved_again_with_the_masks(work: MaskWork, outlines: Refined) -> None:
    put_solve_with_masks(work, outlines, solve_of())
    judged = judged_by_solve(work, outlines, Solved(blank_views(), solve_of(folded_cameras())))
    assert judged.comparison is not None
    assert judged.comparison.share < 0.01
    assert judged.notice.level is Level.WARNING
    assert "had folded" in judged.notice.text


def test_where_both_solves_contradict_the_masks_nothing_is_taken_away(
    work: MaskWork, outlines: Refined
) -> None:
    put_solve_with_masks(work, outlines, solve_of(folded_cameras()))
    judged = judged_by_solve(work, outlines, Solved(blank_views(), solve_of(folded_cameras())))
    assert judged.comparison is None
    assert "contradict each other" in judged.notice.text
    assert "Cameras solved with them do not agree" in judged.notice.text


def test_where_no_second_solve_comes_out_it_is_said(
    tmp_path: Path, work: MaskWork, outlines: Refined
) -> None:
    """Photos of nothing have no features."""
    for fact, picture in zip(work.facts, work.pictures):
        Image.fromarray(picture).save(tmp_path / fact.path)
    views, _ = load_views([tmp_path / fact.path for fact in work.facts], "none")
    judged = judged_by_solve(work, outlines, Solved(views, solve_of(folded_cameras())))
    assert judged.comparison is None
    assert "With the masks no scene came out: 00.png: 0 features" in judged.notice.text
