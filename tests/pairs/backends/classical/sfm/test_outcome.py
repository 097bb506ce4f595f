"""What the user is told of a scene solve: each sentence when it is true, with the names that it is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from masks.errors import ReconstructionError
from masks.notice import Level, Notice
from masks.pixelmap import identity
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.acceptance import Assessment, Verdict
from pairs.backends.classical.sfm.attempts import Attempt, Evidence
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.matching import Pair
from pairs.backends.classical.sfm.outcome import hand_over, require_enough, scene_notices, weakest_views
from pairs.backends.classical.sfm.verification import VerifiedPair
from pairs.views.cameras import Cameras
from pairs.views.view import View

SIZE = (800, 600)
K = np.array([[450.0, 0, 199.5], [0, 450, 149.5], [0, 0, 1]])
"""Of the working pictures, which are half as large."""
HALF = SolveOptions(working_longest=400)
FULL_MASK = np.ones((300, 400), bool)


def evidence(
    num_views: int = 6, masked: bool = True, known: bool = False, focal: float | None = None
) -> Evidence:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    views = tuple(
        View(
            f"{k}.jpg",
            Path(f"{k}.jpg"),
            image,
            identity(SIZE),
            None,
            f"key {k}",
            K=2 * K if known else None,
            focal_exif=focal,
        )
        for k in range(num_views)
    )
    xy = tuple(np.full((100 + k, 2), 10.0 * k, np.float32) for k in range(num_views))
    indices = np.zeros((30, 2), np.int32)
    pairs = {(k, k + 1): VerifiedPair(np.eye(3), indices, 1.0) for k in range(num_views - 1)}
    return Evidence(views, xy, (FULL_MASK if masked else None,) * num_views, pairs)


def model(*placed: int) -> MapperModel:
    """Two scene points, seen by every placed view."""
    num = len(placed)
    by, point = np.divmod(np.arange(2 * num, dtype=np.int32), 2)
    cameras = Cameras(np.tile(K, (num, 1, 1)), np.tile(np.eye(4), (num, 1, 1)))
    return MapperModel(placed, cameras, np.zeros((2, 3)), point, by, point)


def attempt(
    placed: tuple[int, ...] = (0, 1, 2, 3, 4, 5),
    verdict: Verdict = Verdict.SURE,
    reason: str = "0.99 inside",
    strategy: str = "all pairs",
    start: str = "focal 1.2 x",
    shares: tuple[float, ...] | None = None,
    torn: tuple[Pair, ...] = (),
    coinciding: tuple[int, ...] = (),
    few: bool = False,
) -> Attempt:
    taken = None if shares is None else np.array(shares)
    assessment = Assessment(verdict, reason, taken, torn, coinciding, few)
    return Attempt(strategy, start, model(*placed), assessment)


def said(case: Evidence, best: Attempt, attempts: tuple[Attempt, ...] | None = None) -> list[Notice]:
    return scene_notices(case, attempts or (best,), best, HALF)


def about(notices: list[Notice], subject: str) -> str:
    return " ".join(notice.text for notice in notices if notice.subject == subject)


def why_not(case: Evidence, *attempts: Attempt) -> str:
    with pytest.raises(ReconstructionError) as error:
        require_enough(case, attempts, None)
    return str(error.value)


def test_a_sure_scene_is_said_in_one_line_without_a_warning():
    notices = said(evidence(), attempt())
    assert {notice.level for notice in notices} == {Level.INFO}
    assert notices[0].text == "1 try. 6 of 6 views placed: all pairs, focal 1.2 x."
    assert notices[1].text == "checked against the silhouettes: 0.99 inside."


def test_tries_are_listed_with_what_became_of_them():
    tries = (
        attempt((0, 1), Verdict.REJECTED, "0.20 inside", start="focal 0.8 x"),
        Attempt("all pairs", "focal 2 x", None, None),
        attempt(),
    )
    text = said(evidence(), tries[2], tries)[0].text
    assert text.startswith(
        "3 tries (focal 0.8 x: 2 of 6, rejected (0.20 inside); focal 2 x: 0 of 6; focal 1.2 x: 6 of 6)."
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "fit almost everywhere, but not quite"),
        ({"torn": ((1, 2),)}, "contradicts the matches of 1.jpg with 2.jpg"),
        ({"coinciding": (3, 4)}, "3.jpg, 4.jpg stand where other views stand"),
        ({"few": True}, "the focal of so few views is hardly more than a guess"),
    ],
)
def test_a_doubt_is_a_warning_with_its_cause(more, words):
    notice = said(evidence(), attempt(verdict=Verdict.DOUBTFUL, **more))[1]
    assert notice.level is Level.WARNING
    assert words in notice.text
    assert "(0.99 inside). Look at the scene before use." in notice.text


def test_without_masks_it_is_said_that_nothing_was_checked():
    notice = said(evidence(masked=False), attempt(verdict=Verdict.UNCHECKED, reason="0.4 px"))[1]
    assert notice.level is Level.WARNING
    assert "not checked: without masks" in notice.text
    assert "(0.4 px)" in notice.text


@pytest.mark.parametrize("torn", [(), ((0, 1),)])
def test_another_strategy_is_named_and_look_alike_sides_only_where_there_are_signs(torn):
    tries = (
        attempt((0, 1, 2), Verdict.REJECTED, "torn", torn=torn),
        attempt(strategy="windows of 4"),
    )
    notice = said(evidence(), tries[1], tries)[2]
    assert notice.level is Level.WARNING
    assert "others were tried: windows of 4. Handed on: windows of 4." in notice.text
    assert ("looks alike from several sides" in notice.text) == bool(torn)


def test_the_focal_is_said_in_pixels_of_the_photos():
    assert about(said(evidence(), attempt()), "focal").startswith("solved: 900.0 px of the photos")
    assert about(said(evidence(known=True), attempt()), "focal") == "the stated intrinsics were kept."


@pytest.mark.parametrize(
    ("focal", "level", "words"),
    [(None, Level.WARNING, "1.2 longest sides"), (950.0, Level.INFO, "that of EXIF")],
)
def test_two_photos_cannot_tell_the_focal(focal, level, words):
    notices = said(evidence(2, focal=focal), attempt((0, 1)))
    (notice,) = [notice for notice in notices if notice.subject == "focal"]
    assert notice.level is level
    assert "two photos cannot tell the focal" in notice.text
    assert words in notice.text


def test_views_left_out_are_named_with_their_pairs_but_not_those_with_an_empty_mask():
    case = evidence()
    empty = np.zeros_like(FULL_MASK)
    case = Evidence(case.views, case.xy, (*case.masks[:5], empty), case.pairs)
    left = [notice for notice in said(case, attempt((0, 1, 2))) if notice.level is Level.LEFT_OUT]
    assert [notice.subject for notice in left] == ["3.jpg", "4.jpg"]
    assert "could not be placed: 2 verified pairs." in left[0].text
    lonely = Evidence(case.views, case.xy, case.masks, {})
    left = [notice for notice in said(lonely, attempt((0, 1, 2))) if notice.level is Level.LEFT_OUT]
    assert "0 verified pairs" in left[0].text


@pytest.mark.parametrize(
    ("num_views", "placed", "enough"), [(2, 2, True), (6, 2, False), (6, 3, True), (16, 3, False)]
)
def test_a_scene_of_a_few_views_is_none(num_views, placed, enough):
    best = attempt(tuple(range(placed)))
    if enough:
        assert require_enough(evidence(num_views), (best,), best) is best
        return
    with pytest.raises(
        ReconstructionError, match=rf"only {placed} of {num_views} views .* are needed"
    ) as error:
        require_enough(evidence(num_views), (best,), best)
    assert "Take photos at most 20 degrees apart" in str(error.value)


def test_no_scene_is_explained_by_the_largest_one():
    rejected = Verdict.REJECTED
    small = attempt((0, 1), rejected, "small", torn=((4, 5),))
    cases = {
        "no scene came out of the verified matches (1 tries)": [Attempt("all pairs", "", None, None)],
        "contradicts photos that follow each other (1.jpg with 2.jpg)": [
            small,
            attempt((0, 1, 2), rejected, torn=((1, 2),)),
        ],
        "2 of 4 placed views stand where others stand": [
            small,
            attempt((0, 1, 2, 3), rejected, coinciding=(2, 3)),
        ],
        "not believable after 2 tries: 3 views placed, focal 40.": [
            small,
            attempt((0, 1, 2), rejected, "focal 40"),
        ],
        "Share of the scene inside the masks: 4.jpg 0.10, 0.jpg 0.50": [
            small,
            attempt((0, 2, 4), rejected, shares=(0.5, np.nan, 0.1)),
        ],
    }
    for words, attempts in cases.items():
        text = why_not(evidence(), *attempts)
        assert words in text
        assert (
            "102 features a view, 5 verified pairs of 6 views, 30 verified matches in the middle pair."
            in text
        )


def test_the_remedy_asks_for_masks_where_there_are_none():
    nothing = Attempt("all pairs", "", None, None)
    assert "give masks of the object" in why_not(evidence(masked=False), nothing)
    assert "check that the masks show the whole object" in why_not(evidence(), nothing)


def test_without_any_pair_the_counts_are_zero():
    case = evidence()
    assert "0 verified pairs of 6 views, 0 verified" in why_not(
        Evidence(case.views, case.xy, case.masks, {}), Attempt("all pairs", "", None, None)
    )


def test_the_weakest_views_come_first():
    best = attempt((1, 3, 5), shares=(0.9, 0.2, 0.5))
    assert weakest_views(evidence(), best) == "3.jpg 0.20, 5.jpg 0.50, 1.jpg 0.90"
    assert weakest_views(evidence(), attempt()) == "none taken"


def test_a_scene_is_handed_over_in_pixels_of_the_photos():
    solve = hand_over(evidence(), attempt((1, 3)), (), HALF)
    assert solve.placed == (1, 3)
    np.testing.assert_allclose(solve.cameras.K[0], [[900, 0, 399.5], [0, 900, 299.5], [0, 0, 1]])
    # Working pixel 10 of view 1, 30 of view 3: centres at integers.
    np.testing.assert_allclose(solve.observed_xy[:, 0], [20.5, 20.5, 60.5, 60.5])
    with pytest.raises(ValueError, match="without a model"):
        hand_over(evidence(), Attempt("all pairs", "", None, None), (), HALF)


def test_many_lost_views_may_have_another_zoom_where_nothing_says_how_they_were_zoomed() -> None:
    case = evidence(num_views=8)
    assert "If the zoom was changed" in about(said(case, attempt((0, 1, 2, 3, 4, 5))), "cameras")
    assert about(said(case, attempt((0, 1, 2, 3, 4, 5, 6))), "cameras") == ""
    told = evidence(num_views=8, focal=900.0)
    assert about(said(told, attempt((0, 1, 2, 3, 4, 5))), "cameras") == ""
    views = tuple(replace(view, camera_stated=True) for view in case.views)
    assert about(said(replace(case, views=views), attempt((0, 1, 2, 3, 4, 5))), "cameras") == ""


def test_intrinsics_that_were_stated_may_be_why_nothing_came_out():
    case = evidence(6)
    assert "stated intrinsics" not in why_not(case)
    views = tuple(replace(view, K=np.eye(3)) for view in case.views)
    assert "(`calibration`)" in why_not(replace(case, views=views))
