"""Predictions as no network should make them: what cannot be is refused by name, what is not there is left
out, and no scene holds a NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from small_predictions import ENTRIES, NUM_VIEWS, TRUTH, predictions, true_cameras
from small_scene import HEIGHT, WIDTH

from align.evaluation.camera_errors import pair_errors
from align.global_alignment import align_predictions
from align.presets import POINTLOOM, PRESETS, Preset, with_options
from align.scene import Scene
from align.sparse.options import Stage
from align.sparse.robust import Gamma
from masks.errors import FormatError, GraphError, UserError
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction, Predictions
from pairs.views.cameras import Cameras

MASK = np.zeros((HEIGHT, WIDTH), bool)
MASK[2:30, 4:44] = True
SHORT = with_options(PRESETS["mast3r"], coarse=Stage(0.07, 5, Gamma(1.5)), fine=Stage(0.01, 5, Gamma(0.5)))
BOTH = pytest.mark.parametrize("preset", [POINTLOOM, SHORT], ids=["pointloom", "reference"])

Change = Callable[[np.ndarray], np.ndarray]


def with_entries(change: Callable[[PairEntry], PairEntry], *only: tuple[int, int]) -> Predictions:
    """Return masked predictions of which all pairs, or only some, are changed."""
    return predictions(
        {edge: change(entry) if not only or edge in only else entry for edge, entry in ENTRIES.items()},
        mask=MASK,
    )


def points(change: Change) -> Callable[[PairEntry], PairEntry]:
    def of(run: PairPrediction) -> PairPrediction:
        return replace(run, a_in_a=change(run.a_in_a.copy()), b_in_a=change(run.b_in_a.copy()))

    return lambda entry: replace(entry, ab=of(entry.ab), ba=of(entry.ba))


def confs(change: Change) -> Callable[[PairEntry], PairEntry]:
    def of(run: PairPrediction) -> PairPrediction:
        return replace(run, a_conf=change(run.a_conf.copy()), b_conf=change(run.b_conf.copy()))

    return lambda entry: replace(entry, ab=of(entry.ab), ba=of(entry.ba))


def matches(xy: Change = lambda xy: xy, conf: Change = lambda conf: conf) -> Callable[[PairEntry], PairEntry]:
    return lambda entry: replace(
        entry, matches=Matches(xy(entry.matches.xy_a), xy(entry.matches.xy_b), conf(entry.matches.conf))
    )


def holes(value: float) -> Change:
    """Put a value in a tenth of the pixels, inside the mask and out."""

    def change(array: np.ndarray) -> np.ndarray:
        array[np.random.default_rng(0).random(array.shape[:2]) < 0.1] = value
        return array

    return change


def is_finite(scene: Scene) -> bool:
    arrays = (
        scene.cameras.K,
        scene.cameras.cam_from_world,
        *(x for view in scene.views for x in (view.depth, view.conf)),
    )
    return all(bool(np.isfinite(array).all()) for array in arrays)


def worst_rotation_deg(scene: Scene) -> float:
    return float(
        pair_errors(scene.cameras.cam_from_world, TRUTH[[int(view.name[0]) for view in scene.views]])[0].max()
    )


@pytest.mark.parametrize(
    ("what", "value"),
    [(points, np.nan), (points, np.inf), (points, -np.inf), (confs, np.nan), (confs, np.inf)],
)
def test_a_pixel_that_is_not_finite_is_absent(what: Callable[[Change], Callable], value: float) -> None:
    scene = align_predictions(with_entries(what(holes(value))), POINTLOOM)
    assert is_finite(scene)
    assert len(scene.views) == NUM_VIEWS
    assert worst_rotation_deg(scene) < 0.2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_reference_says_which_views_have_pixels_that_are_not_finite(value: float) -> None:
    with pytest.raises(GraphError, match=r"0\.jpg"):
        align_predictions(with_entries(points(holes(value))), SHORT)


@pytest.mark.parametrize(
    "change", [lambda x: x * np.nan, lambda x: 0 * x, lambda x: -x], ids=["NaN", "zero", "behind the camera"]
)
def test_a_pair_without_a_usable_point_is_named_and_costs_no_view(change: Change) -> None:
    scene = align_predictions(with_entries(points(change), (0, 1)), POINTLOOM)
    assert len(scene.views) == NUM_VIEWS
    assert is_finite(scene)
    assert worst_rotation_deg(scene) < 0.2
    (notice,) = (n for n in scene.report.notices if n.subject == "runs")
    assert "0.jpg with 1.jpg" in notice.text
    assert "1.jpg with 0.jpg" in notice.text


@BOTH
@pytest.mark.parametrize(
    "change",
    [lambda x: x * np.nan, lambda x: 0 * x, lambda x: 0 * x + [0.0, 0.0, 4.0]],
    ids=["NaN", "zero", "one point"],
)
def test_nothing_usable_at_all_is_an_error_that_says_why(change: Change, preset: Preset) -> None:
    with pytest.raises(UserError, match=r"0\.jpg"):
        align_predictions(with_entries(points(change)), preset)


@BOTH
@pytest.mark.parametrize("value", [0.0, -3.0, 1e30])
def test_any_finite_confidence_gives_a_finite_scene(value: float, preset: Preset) -> None:
    assert is_finite(align_predictions(with_entries(confs(lambda conf: np.full_like(conf, value))), preset))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_a_single_run_does_not_matter(scale: float) -> None:
    scene = align_predictions(with_entries(points(lambda x: scale * x), (0, 1)), POINTLOOM)
    assert worst_rotation_deg(scene) < 0.2


@BOTH
def test_a_pair_without_matches_is_no_fault(preset: Preset) -> None:
    nothing = Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    scene = align_predictions(with_entries(lambda entry: replace(entry, matches=nothing), (0, 1)), preset)
    assert len(scene.views) == NUM_VIEWS
    assert is_finite(scene)


@BOTH
def test_matches_that_are_all_one_point_give_a_finite_scene(preset: Preset) -> None:
    scene = align_predictions(with_entries(matches(xy=lambda xy: np.full_like(xy, 20.0))), preset)
    assert is_finite(scene)
    if preset is POINTLOOM:
        assert worst_rotation_deg(scene) < 1  # the pointmaps still tell


@pytest.mark.parametrize("kept", [slice(0, 1), slice(0, 2)])
def test_a_match_or_two_a_pair_are_enough_beside_pointmaps(kept: slice) -> None:
    scene = align_predictions(
        with_entries(
            lambda e: replace(
                e, matches=Matches(e.matches.xy_a[kept], e.matches.xy_b[kept], e.matches.conf[kept])
            )
        ),
        POINTLOOM,
    )
    assert is_finite(scene)
    assert worst_rotation_deg(scene) < 1


@BOTH
def test_one_pair_is_a_scene(preset: Preset) -> None:
    given = predictions(mask=MASK)
    scene = align_predictions(
        replace(given, views=given.views[:2], edges=((0, 1),), load=lambda _: ENTRIES[0, 1]), preset
    )
    assert len(scene.views) == 2
    assert is_finite(scene)


@pytest.mark.parametrize("num_views", [0, 1, 2])
def test_views_without_pairs_are_an_error(num_views: int) -> None:
    given = predictions()
    with pytest.raises(GraphError):
        align_predictions(replace(given, views=given.views[:num_views], edges=()), POINTLOOM)


@BOTH
def test_two_parts_do_not_crash(preset: Preset) -> None:
    parts = {edge: entry for edge, entry in ENTRIES.items() if (edge[0] < 2) == (edge[1] < 2)}
    scene = align_predictions(predictions(parts, mask=MASK), preset)
    assert [view.name for view in scene.views] == ["2.jpg", "3.jpg", "4.jpg"]
    assert is_finite(scene)


def smaller(entry: PairEntry) -> PairEntry:
    run = entry.ab
    return replace(
        entry, ab=PairPrediction(run.a_in_a[:16], run.b_in_a[:16], run.a_conf[:16], run.b_conf[:16])
    )


@BOTH
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (smaller, "48x16"),
        (matches(conf=lambda conf: conf * np.nan), "not positive numbers"),
        (matches(conf=lambda conf: conf * np.inf), "not positive numbers"),
        (matches(conf=lambda conf: 0 * conf), "not positive numbers"),
        (matches(xy=lambda xy: xy * np.nan), "leave the 48x32 grid"),
        (matches(xy=lambda xy: xy + 100), "leave the 48x32 grid"),
    ],
)
def test_a_pair_that_cannot_be_is_named(
    change: Callable[[PairEntry], PairEntry], says: str, preset: Preset
) -> None:
    with pytest.raises(FormatError, match=says) as caught:
        align_predictions(with_entries(change, (1, 3)), preset)
    assert "1.jpg and 3.jpg" in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"K": np.diag([-50.0, -50.0, 1.0])}, "positive focals"),
        ({"K": np.diag([np.nan, 50.0, 1.0])}, "not finite"),
        ({"K": np.diag([1e9, 1e9, 1.0])}, "cannot be on 48x32"),
        ({"K": np.diag([50.0, 50.0, 1.0]) + np.eye(3, k=1)}, "skew|last row"),
        ({"cam_from_world": np.diag([2.0, 2.0, 2.0, 1.0])}, "rigid"),
        ({"cam_from_world": np.diag([-1.0, 1.0, 1.0, 1.0])}, "rigid"),
        ({"cam_from_world": np.full((4, 4), np.nan)}, "not finite"),
        ({"name": "0.jpg"}, "two views have this name"),
    ],
)
def test_a_view_that_cannot_be_is_named(stated: dict, says: str, preset: Preset) -> None:
    given = predictions()
    views = tuple(replace(view, **stated) for view in given.views)
    with pytest.raises(FormatError, match=says) as caught:
        align_predictions(replace(given, views=views), preset)
    assert str(caught.value).startswith("0.jpg")


@pytest.mark.parametrize("edge", [(0, 0), (0, 9), (-1, 0), (0, 1), (1, 0)])
def test_a_pair_that_is_none_or_is_there_twice_is_refused(edge: tuple[int, int]) -> None:
    given = predictions()
    with pytest.raises(GraphError, match="pair"):
        align_predictions(replace(given, edges=(*given.edges, edge)), POINTLOOM)


def test_cameras_of_a_backend_that_are_not_finite_are_refused() -> None:
    with pytest.raises(FormatError, match="cameras"):
        align_predictions(predictions(cameras=Cameras(true_cameras().K * np.nan, TRUTH)), POINTLOOM)
