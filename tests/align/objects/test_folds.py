"""A folded scene is named by its silhouettes, whatever placed its views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cylinder_on_turntable import turntable
from simulated_network import oracle_or_skip

from align.cli.main import main
from align.objects.folds import fold_notices
from align.scene import Report, Scene, SceneView
from align.scene_folder import load_scene, save_scene
from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.precomputed import write_predictions
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction, Predictions
from pairs.views.cameras import Cameras
from pairs.views.view import View

SIZE, NUM_VIEWS = (256, 184), 12
BLOCK = (3, 4, 5, 6, 7)


def folded(scene: Scene, block: tuple[int, ...]) -> Scene:
    """Return the scene with some of its views moved aside together, as a fold does it."""
    poses = scene.cameras.cam_from_world.copy()
    poses[list(block), :3, 3] += poses[list(block), :3, :3] @ [0.3, 0.2, 0.2]
    return replace(scene, cameras=Cameras(scene.cameras.K, poses))


def test_groups_that_contradict_each_other_are_named() -> None:
    scene = turntable(finer=4)
    assert fold_notices(scene) == ()
    (notice,) = fold_notices(folded(scene, BLOCK))
    assert notice.text.startswith("3.png, 4.png, 5.png, 6.png")
    assert "folded" in notice.text


def test_a_fold_in_two_halves_is_named() -> None:
    scene = folded(turntable(finer=4), (0, 1, 2, 3, 4, 5))
    assert len(fold_notices(scene)) == 1


def test_few_masks_say_nothing() -> None:
    scene = turntable(5, finer=2)
    assert fold_notices(folded(scene, (0, 1))) == ()


def simulated() -> tuple[Predictions, Scene]:
    """Return what a simulated network says of a masked turntable, and the true scene."""
    oracle = oracle_or_skip()
    scene = oracle.make_scene("blob", views=NUM_VIEWS, size=SIZE, backdrop="static")
    seen = [scene.view(k) for k in range(NUM_VIEWS)]
    views = tuple(
        View(f"{k:02d}", None, v.image, identity(SIZE), Mask(v.mask, "oracle"), f"{k}", camera="one")
        for k, v in enumerate(seen)
    )
    edges = tuple(oracle.scene_graph(NUM_VIEWS, "window", 2))

    def load(edge: int) -> PairEntry:
        said = oracle.predict_pair(scene, *edges[edge], noise="low", masked=True)
        return PairEntry(
            ab=PairPrediction(said["pts_ii"], said["pts_ji"], said["conf_ii"], said["conf_ji"]),
            ba=PairPrediction(said["pts_jj"], said["pts_ij"], said["conf_jj"], said["conf_ij"]),
            matches=Matches(said["xy_i"], said["xy_j"], said["match_conf"]),
        )

    poses, K = oracle.true_poses(scene)
    shown = tuple(
        SceneView(
            f"{k:02d}",
            "one",
            identity(SIZE),
            np.where(v.mask, v.depth, 0).astype(np.float32),
            np.where(v.mask, 5, 0).astype(np.float32),
            v.image,
            v.mask,
        )
        for k, v in enumerate(seen)
    )
    true = Scene(shown, Cameras(K, poses), tuple(v.name for v in shown), edges, Report())
    return Predictions(views, edges, load, None, ()), true


@pytest.mark.slow
def test_a_folded_scene_of_predictions_is_named_by_the_command(tmp_path: Path) -> None:
    """Pairs across the fold are left out, so that nothing but silhouettes contradicts the cameras that a
    network estimated.
    """
    predictions, true = simulated()
    quarter = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    poses = true.cameras.cam_from_world.copy()
    poses[list(BLOCK)] = poses[list(BLOCK)] @ quarter
    within = [k for k, (a, b) in enumerate(predictions.edges) if (a in BLOCK) == (b in BLOCK)]
    apart = replace(
        predictions,
        edges=tuple(predictions.edges[k] for k in within),
        load=lambda k: predictions.load(within[k]),
    )
    for name, said, cameras in (
        ("right", predictions, true.cameras),
        ("folded", apart, Cameras(true.cameras.K, poses)),
    ):
        write_predictions(said, tmp_path / f"{name}_said")
        save_scene(replace(true, cameras=cameras), tmp_path / f"{name}_start")
        arguments = [str(tmp_path / f"{name}_said"), "--start", str(tmp_path / f"{name}_start")]
        assert main(["align", *arguments, "--out", str(tmp_path / name)]) == 0
        scene = load_scene(tmp_path / name)
        assert len(scene.views) == NUM_VIEWS
        told = " ".join(n.text for n in scene.report.notices if n.subject == "silhouettes")
        assert ("03, 04, " in told) == (name == "folded")
        assert bool(told) == (name == "folded")
