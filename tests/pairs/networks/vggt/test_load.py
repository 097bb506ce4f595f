"""Checkpoints of VGGT: both forms, parts of them, and bad ones."""

from __future__ import annotations

import logging
import pickle
import sys
from pathlib import Path

import pytest
import torch
from small_vggt import random_scene, small_config, small_vggt, write_pt, write_safetensors

from masks.errors import FormatError, MissingExtraError, UserError
from pairs.networks.vggt.config import VGGT_1B, VGGT_TRACKER_FIXED
from pairs.networks.vggt.load import PUBLISHED, VggtOptions, config_named, find_vggt, load_vggt
from pairs.networks.weights import MODELS_VARIABLE

OPTIONS = VggtOptions(config=small_config())


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("form", ["pt", "fine-tuned", "safetensors", "folder"])
def test_a_network_comes_back_from_every_form(tmp_path, form):
    network = small_vggt()
    if form in ("pt", "fine-tuned"):
        path = write_pt(tmp_path / "net.pt", network, "model" if form == "fine-tuned" else None)
    else:
        path = write_safetensors(tmp_path / "model.safetensors", network)
    loaded = load_vggt(tmp_path if form == "folder" else path, options=OPTIONS)
    images = random_scene(2)
    torch.testing.assert_close(
        loaded(images).depth.values, network(images).depth.values, atol=1e-6, rtol=1e-5
    )
    assert not any(weight.requires_grad for weight in loaded.parameters())


def test_heads_that_are_not_wanted_are_skipped_and_said(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    options = VggtOptions(heads=frozenset({"camera"}), config=small_config())
    loaded = load_vggt(write_pt(tmp_path / "net.pt", small_vggt()), options=options)
    assert loaded.track_head is None
    assert loaded.depth_head is None
    assert "not loaded, as asked: depth_head., point_head., track_head." in caplog.text


def test_heads_that_the_file_has_not_are_left_out_and_said(tmp_path, caplog):
    state = {
        name: tensor
        for name, tensor in small_vggt().state_dict().items()
        if not name.startswith(("track_head", "point_head"))
    }
    torch.save(state, tmp_path / "net.pt")
    loaded = load_vggt(tmp_path / "net.pt", options=OPTIONS)
    assert loaded.track_head is None
    assert "has no weights for: points, track" in caplog.text


def test_half_precision_weights_become_float32(tmp_path):
    torch.save(
        {name: tensor.half() for name, tensor in small_vggt().state_dict().items()}, tmp_path / "net.pt"
    )
    assert {p.dtype for p in load_vggt(tmp_path / "net.pt", options=OPTIONS).parameters()} == {torch.float32}


def test_weights_of_another_network_are_named(tmp_path):
    with pytest.raises(FormatError, match=r"net\.pt: .*tensors missing.*of another shape: .* instead of"):
        load_vggt(write_pt(tmp_path / "net.pt", small_vggt()))


def test_a_missing_tensor_is_named(tmp_path):
    state = small_vggt().state_dict()
    del state["aggregator.global_blocks.1.ls2.gamma"]
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(FormatError, match=r"1 tensors missing: aggregator\.global_blocks\.1\.ls2\.gamma"):
        load_vggt(tmp_path / "net.pt", options=OPTIONS)


def test_a_file_that_would_run_a_program_is_refused_and_nothing_runs(tmp_path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model": Payload()}, tmp_path / "net.pt", pickle_module=pickle)
    with pytest.raises(FormatError, match="could run a program"):
        load_vggt(tmp_path / "net.pt", options=OPTIONS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[1], {"model": {}}, {"a": 3}])
def test_a_file_without_weights_is_named(tmp_path, content):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(FormatError, match=r"net\.pt"):
        load_vggt(tmp_path / "net.pt", options=OPTIONS)


def test_a_truncated_file_is_named(tmp_path):
    for path in (
        write_pt(tmp_path / "net.pt", small_vggt()),
        write_safetensors(tmp_path / "net.safetensors", small_vggt()),
    ):
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(FormatError, match=f"{path.name}.*[Dd]ownload"):
            load_vggt(path, options=OPTIONS)


def test_a_published_name_is_found_in_the_models_folder(models):
    path = write_pt(models / "VGGT-1B.pt", small_vggt())
    assert find_vggt("facebook/VGGT-1B") == find_vggt("VGGT-1B") == path


def test_a_name_is_a_name_also_where_a_folder_is_called_so(models, monkeypatch):
    path = write_pt(models / "VGGT-1B.pt", small_vggt())
    (models / "here" / "VGGT-1B").mkdir(parents=True)
    own = write_pt(models / "here" / "VGGT-1B" / "model.pt", small_vggt())
    monkeypatch.chdir(models / "here")
    assert find_vggt("VGGT-1B") == path
    assert find_vggt("./VGGT-1B").resolve() == own.resolve()


def test_weights_that_are_not_finite_are_named(tmp_path):
    network = small_vggt()
    network.camera_head.token_norm.bias[0] = float("nan")
    with pytest.raises(FormatError, match=r"net\.pt: 1 tensors hold no finite numbers: camera_head"):
        load_vggt(write_pt(tmp_path / "net.pt", network), options=OPTIONS)


def test_an_unknown_name_lists_the_published_ones(models):
    with pytest.raises(UserError, match=r"no such file.*VGGT-1B.*VGGT_tracker_fixed"):
        load_vggt("vggt-2")


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(FormatError, match="holds no checkpoint of VGGT"):
        find_vggt(tmp_path)


def test_without_the_hubs_client_the_message_says_which_file_to_put_where(models, monkeypatch):
    # An entry of None makes the import fail, as without the package.
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        MissingExtraError,
        match=rf"pip install pointloom\[networks\].*Download model\.pt of facebook/VGGT-1B.*{models}",
    ):
        find_vggt("VGGT-1B")


def test_only_the_retuned_tracker_knows_positions():
    assert config_named(Path("a") / PUBLISHED["VGGT_tracker_fixed"].file) == VGGT_TRACKER_FIXED
    assert config_named(Path("model.pt")) == VGGT_1B
