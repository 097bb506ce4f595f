"""The whole pipeline with tiny random networks: the result is meaningless, the plumbing is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reconstruct_arguments import reconstruct_arguments
from tiny_networks import tiny_network, write_folder, write_pth
from tiny_retrieval import write_head

from align.cli.main import main
from align.scene_folder import load_scene
from masks.notice import Level
from pairs.networks.dust3r.config import HeadType
from pairs.networks.dust3r.network import PairNetwork

SCENE_FILES = ("scene.json", "views.safetensors")


def ahead(head: HeadType, seed: int = 0) -> PairNetwork:
    """Return a tiny network whose points lie before the camera: the aligner rightly refuses those
    behind it.
    """
    network = tiny_network(head, seed)
    with torch.no_grad():
        for each in (network.downstream_head1, network.downstream_head2):
            if head == "linear":
                each.proj.weight.mul_(0.2)
                each.proj.bias[2 * 256 : 3 * 256] += 1.5
            else:
                each.dpt.head[4].weight.mul_(0.2)
                each.dpt.head[4].bias[2] += 1.5
    return network


def entries(store: Path) -> dict[Path, int]:
    """Return the finished entries of a store and when each was written."""
    return {p: p.stat().st_mtime_ns for p in store.rglob("*.safetensors") if not p.name.startswith(".")}


@pytest.mark.parametrize("preset", ["pointloom", "mast3r"])
@pytest.mark.parametrize(("backend", "head"), [("mast3r", "catmlp+dpt"), ("dust3r", "linear")])
def test_a_checkpoint_leads_to_a_scene(
    turntable: Path, tmp_path: Path, backend: str, head: HeadType, preset: str
) -> None:
    weights = write_pth(tmp_path / "tiny.pth", ahead(head))
    assert (
        main(
            reconstruct_arguments(
                turntable, tmp_path / "scene", "--backend", backend, "--weights", weights, "--preset", preset
            )
        )
        == 0
    )
    scene = load_scene(tmp_path / "scene")
    assert {view.pixel_map.target_size for view in scene.views} == {(64, 48)}
    assert np.isfinite(scene.cameras.cam_from_world).all()
    for view in scene.views:
        assert not view.conf[~view.mask].any()


def test_a_folder_of_the_hub_leads_to_the_same_scene(turntable: Path, tmp_path: Path) -> None:
    weights = (
        write_pth(tmp_path / "tiny.pth", ahead("catmlp+dpt")),
        write_folder(tmp_path / "hub", ahead("catmlp+dpt")),
    )
    for name, path in zip(("one", "two"), weights):
        assert (
            main(
                reconstruct_arguments(
                    turntable, tmp_path / name, "--backend", "mast3r", "--weights", path, "--graph", "ring"
                )
            )
            == 0
        )
    for name in SCENE_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_turntable_of_a_network_is_the_aligners(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_pth(tmp_path / "tiny.pth", ahead("catmlp+dpt"))
    chosen = ["--backend", "mast3r", "--weights", weights, "--graph", "ring", "--turntable"]
    assert main(reconstruct_arguments(turntable, tmp_path / "scene", *chosen, "off")) == 0
    capsys.readouterr()
    assert main(reconstruct_arguments(turntable, tmp_path / "scene", *chosen, "full")) == 2
    assert "--turntable full" in capsys.readouterr().err


def test_background_pixels_never_move_a_pose(turntable: Path, tmp_path: Path) -> None:
    weights = write_pth(tmp_path / "tiny.pth", ahead("catmlp+dpt"))
    (tmp_path / "images").mkdir()
    for k in range(6):
        image = np.array(Image.open(turntable / "images" / f"{k:03d}.png"))
        background = np.array(Image.open(turntable / "masks" / f"{k:03d}.png")) == 0
        image[background] = np.random.default_rng(k).integers(0, 256, (background.sum(), 3))
        Image.fromarray(image).save(tmp_path / "images" / f"{k:03d}.png")
    (tmp_path / "masks").symlink_to(turntable / "masks")
    for name, root in (("one", turntable), ("two", tmp_path)):
        assert (
            main(reconstruct_arguments(root, tmp_path / name, "--backend", "mast3r", "--weights", weights))
            == 0
        )
    one, two = (load_scene(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.cameras.cam_from_world, two.cameras.cam_from_world)
    np.testing.assert_array_equal(one.cameras.K, two.cameras.K)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)])
def test_a_stopped_run_goes_on_where_it_was(
    turntable: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    weights = write_pth(tmp_path / "tiny.pth", ahead("catmlp+dpt"))
    more = ("--backend", "mast3r", "--weights", weights, "--batch", "4")
    assert main(reconstruct_arguments(turntable, tmp_path / "whole", *more, count=16)) == 0
    out = tmp_path / "scene"
    for enough in (5, 60):  # entries after which it is stopped: among the photos, and among the pairs
        process = subprocess.Popen(
            [sys.executable, "-m", "align.cli.main", *reconstruct_arguments(turntable, out, *more, count=16)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        while len(entries(out / "store")) < enough and process.poll() is None:
            time.sleep(0.005)  # until the store has grown, not for a fixed time
        process.send_signal(number)
        _, errors = process.communicate()
        assert process.returncode == code
        assert "Traceback" not in errors
    finished = entries(out / "store")
    assert len(finished) < 136
    assert main(reconstruct_arguments(turntable, out, *more, count=16)) == 0
    after = entries(out / "store")
    assert {path: after[path] for path in finished} == finished  # nothing that was there was made again
    assert {p.name: p.read_bytes() for p in after} == {
        p.name: p.read_bytes() for p in entries(tmp_path / "whole" / "store")
    }
    for name in SCENE_FILES:
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def fails(capsys: pytest.CaptureFixture[str], given: list[str]) -> str:
    """Run the command line and return what it says when it refuses."""
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.rindex("pointloom:") :]


def test_weights_that_cannot_be_used_are_named(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.pth").write_text("these are no weights")
    (tmp_path / "empty").mkdir()
    write_pth(tmp_path / "other.pth", ahead("linear"))
    torch.save({"weights": torch.zeros(3)}, tmp_path / "foreign.pth")
    for name, message in (
        ("text.pth", "text.pth"),
        ("empty", "config.json"),
        ("other.pth", "--backend dust3r"),
        ("foreign.pth", "foreign.pth"),
        ("gone.pth", "gone.pth: no such file"),
    ):
        assert message in fails(
            capsys,
            reconstruct_arguments(
                turntable, tmp_path / "s", "--backend", "mast3r", "--weights", tmp_path / name
            ),
        )


def test_options_that_a_backend_has_not_are_refused(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_pth(tmp_path / "tiny.pth", ahead("linear"))
    assert "means nothing to the backend classical, which has --engine" in fails(
        capsys, reconstruct_arguments(turntable, tmp_path / "s", "--weights", weights)
    )
    network = reconstruct_arguments(turntable, tmp_path / "s", "--backend", "dust3r", "--weights", weights)
    assert "--longest, --crop: the backend dust3r predicts on images of 64 pixels" in fails(
        capsys, [*network, "--longest", "128", "--crop", "on"]
    )
    assert "--precision int4" in fails(capsys, [*network, "--precision", "int4"])


def test_a_network_that_says_nothing_usable_is_an_error_and_not_a_scene(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ahead("linear")
    with torch.no_grad():
        for each in (network.downstream_head1, network.downstream_head2):
            each.proj.bias[2 * 256 : 3 * 256] -= 3
    weights = write_pth(tmp_path / "behind.pth", network)
    assert "before the camera" in fails(
        capsys, reconstruct_arguments(turntable, tmp_path / "s", "--backend", "dust3r", "--weights", weights)
    )
    assert not (tmp_path / "s" / "scene.json").exists()


def test_views_that_take_no_part_are_in_the_report(turntable: Path, tmp_path: Path) -> None:
    weights = write_pth(tmp_path / "tiny.pth", ahead("catmlp+dpt"))
    (tmp_path / "pairs.txt").write_text("000.png 001.png\n001.png 002.png\n000.png 002.png\n")
    more = ("--backend", "mast3r", "--weights", weights, "--graph", f"file:{tmp_path / 'pairs.txt'}")
    assert main(reconstruct_arguments(turntable, tmp_path / "scene", *more)) == 0
    scene = load_scene(tmp_path / "scene")
    assert [view.name for view in scene.views] == ["000.png", "001.png", "002.png"]
    assert {"003.png", "004.png", "005.png"} <= {
        n.subject for n in scene.report.notices if n.level is Level.LEFT_OUT
    }


def test_pairs_by_similarity_lead_to_a_scene(
    turntable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = (
        "--backend",
        "mast3r",
        "--weights",
        write_pth(tmp_path / "tiny.pth", ahead("catmlp+dpt")),
        "--graph",
        "retrieval:2,3",
    )
    assert (
        main(
            reconstruct_arguments(
                turntable, tmp_path / "scene", *network, "--retrieval", write_head(tmp_path)
            )
        )
        == 0
    )
    assert 5 <= len(load_scene(tmp_path / "scene").edges) < 15
    assert "--retrieval FILE" in fails(capsys, reconstruct_arguments(turntable, tmp_path / "s", *network))
    assert "how alike" in fails(
        capsys,
        ["reconstruct", str(turntable / "images"), "--out", str(tmp_path / "s"), "--graph", "retrieval:2,3"],
    )
