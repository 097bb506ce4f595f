"""Checkpoints of both layouts, good ones and every sort of bad one."""

from __future__ import annotations

import argparse
import logging
import math
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from tiny_networks import model_string, random_images, tiny_config, tiny_network, write_folder, write_pth

from masks.errors import FormatError
from pairs.networks.dust3r.checkpoint import build_network, fit, is_checkpoint, read_checkpoint
from pairs.networks.dust3r.config import HeadType
from pairs.networks.dust3r.network import PairNetwork

HEADS: tuple[HeadType, ...] = ("linear", "dpt", "catmlp+dpt")
IMAGES = random_images(1, (32, 48)), random_images(1, (32, 48), seed=1)


def assert_same_answers(one: PairNetwork, other: PairNetwork) -> None:
    for a, b in zip(one(*IMAGES), other(*IMAGES)):
        assert torch.equal(a.points, b.points)
        assert torch.equal(a.conf, b.conf)
        assert (a.desc is None and b.desc is None) or torch.equal(a.desc, b.desc)


def refusal(path: Path) -> str:
    with pytest.raises(FormatError) as refused:
        build_network(read_checkpoint(path))
    assert str(path) in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("head", HEADS)
def test_a_network_comes_back_from_a_pth_file(tmp_path, head):
    network = tiny_network(head)
    again = build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network)))
    assert again.config == network.config
    assert_same_answers(again, network)
    assert not any(weight.requires_grad for weight in again.parameters())


@pytest.mark.parametrize("head", HEADS)
def test_a_network_comes_back_from_a_folder(tmp_path, head):
    network = tiny_network(head)
    again = build_network(read_checkpoint(write_folder(tmp_path / "net", network)))
    assert again.config == network.config
    assert_same_answers(again, network)


@pytest.mark.parametrize("dropped", [".layer_rn.", ".layer1_rn."])
def test_either_name_of_a_tensor_with_two_will_do(tmp_path, dropped):
    network = tiny_network("dpt")
    state = {name: tensor for name, tensor in network.state_dict().items() if dropped not in name}
    assert_same_answers(
        build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network, state))), network
    )


def test_a_second_decoder_that_is_absent_is_the_first(tmp_path):
    network = tiny_network("linear")
    state = {
        name: tensor for name, tensor in network.state_dict().items() if not name.startswith("dec_blocks2")
    }
    again = build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network, state))).state_dict()
    assert all(
        torch.equal(again[name.replace("dec_blocks.", "dec_blocks2.")], again[name])
        for name in again
        if name.startswith("dec_blocks.")
    )


def test_the_mask_token_may_be_absent(tmp_path):
    network = tiny_network("linear")
    state = {name: tensor for name, tensor in network.state_dict().items() if name != "mask_token"}
    assert_same_answers(
        build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network, state))), network
    )


def test_weights_of_half_precision_are_used_in_single(tmp_path):
    network = tiny_network("linear")
    state = {name: tensor.half() for name, tensor in network.state_dict().items()}
    again = build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network, state)))
    assert {tensor.dtype for tensor in again.state_dict().values()} == {torch.float32}
    again(*IMAGES)


def test_tensors_without_a_place_are_named_in_the_log(tmp_path, caplog):
    network = tiny_network("linear")
    state = {
        **network.state_dict(),
        "adapter.weight": torch.zeros(3),
        "prediction_head.weight": torch.zeros(3),
    }
    with caplog.at_level(logging.WARNING):
        again = build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network, state)))
    assert_same_answers(again, network)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'net.pth'}: not used: adapter.weight."
    ]


class Intruder:
    """Unpickling it creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("place", ["args", "epoch"])
def test_a_foreign_object_is_never_made(tmp_path, place):
    marker, path = tmp_path / "executed", tmp_path / "net.pth"
    network = tiny_network("linear")
    content = {
        "args": argparse.Namespace(model=model_string(network.config)),
        "model": network.state_dict(),
        "epoch": 1,
    }
    if place == "args":
        content["args"].extra = Intruder(marker)
    else:
        content["epoch"] = Intruder(marker)
    torch.save(content, path)
    said = refusal(path)
    assert "could run a program" in said
    assert not marker.exists()
    with pytest.raises(FormatError):
        fit(read_checkpoint(path))
    assert not marker.exists()


def test_a_plain_pickle_is_never_opened(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "net.pth"
    path.write_bytes(pickle.dumps(Intruder(marker)))
    assert "no torch checkpoint" in refusal(path)
    assert not marker.exists()


def test_a_truncated_file_is_named(tmp_path):
    path = write_pth(tmp_path / "net.pth", tiny_network("linear"))
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert f"{size} bytes" in refusal(path)


def test_a_text_file_with_the_ending_is_named(tmp_path):
    path = tmp_path / "net.pth"
    path.write_text("<html>not found</html>")
    assert "no torch checkpoint" in refusal(path)


def test_an_archive_of_something_else_is_named(tmp_path):
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [{}, {"model": {}}, [1], {"args": argparse.Namespace(model=3), "model": {}}, {"args": "x", "model": 4}],
)
def test_a_file_without_a_network_is_named(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    assert "holds no pair network" in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize(
    "state",
    [
        {"a": 3},
        {5: torch.zeros(1)},
        {"a": torch.zeros(1, dtype=torch.int64)},
        {"a": torch.zeros(2, 2).to_sparse()},
        {"a": torch.zeros(1).half().expand(10**15)},
    ],
)
def test_weights_that_are_no_tensors_of_numbers_are_named(tmp_path, state):
    path = write_pth(tmp_path / "net.pth", tiny_network("linear"), state)
    assert "no plain tensors" in refusal(path)


def test_the_weights_of_another_network_are_named_by_their_tensors(tmp_path):
    config = tiny_config("linear")
    said = refusal(
        write_pth(
            tmp_path / "net.pth",
            tiny_network("linear"),
            text=model_string(config, enc_depth=3, dec_embed_dim=16),
        )
    )
    assert "missing: enc_blocks.2.norm1.weight" in said
    assert "and 7 more" in said
    assert "decoder_embed.weight (8, 16) instead of (16, 16)" in said


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_named(tmp_path, value):
    network = tiny_network()
    state = network.state_dict()
    state["enc_norm.weight"] = state["enc_norm.weight"].clone()
    state["enc_norm.weight"][3] = value
    with pytest.raises(FormatError, match=r"net\.pth: 1 tensors hold no finite numbers: enc_norm\.weight"):
        build_network(read_checkpoint(write_pth(tmp_path / "net.pth", network, state)))


def test_a_network_too_large_for_any_memory_is_refused_without_taking_it(tmp_path):
    text = model_string(tiny_config("linear"), enc_embed_dim=16384, enc_depth=200)
    assert "instead of" in refusal(write_pth(tmp_path / "net.pth", tiny_network("linear"), text=text))


def test_a_dpt_without_its_tensors_is_named(tmp_path):
    linear = tiny_network("linear")
    said = refusal(write_pth(tmp_path / "net.pth", linear, text=model_string(tiny_config("dpt"))))
    assert "tensors of the DPT head are missing: downstream_head1.dpt.act_postprocess.0.0.weight" in said


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_says_which(tmp_path, name):
    folder = write_folder(tmp_path / "net", tiny_network("linear"))
    (folder / name).unlink()
    assert is_checkpoint(folder)
    assert f"holds no {name}" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "bad", "said"),
    [
        ("config.json", b"{", "not JSON"),
        ("config.json", b"[" * 100_000, "not JSON"),
        ("config.json", b"\xff\xfe", "not JSON"),
        ("config.json", b" " * 2_000_000, "2000000 bytes"),
        (
            "config.json",
            b'{"img_size": 1000000000, "pos_embed": "RoPE100"}',
            "img_size=1000000000: should be",
        ),
        ("config.json", b'{"mlp_ratio": 1e999, "pos_embed": "RoPE100"}', "mlp_ratio=inf: should be"),
        ("model.safetensors", b"", "damaged"),
        ("model.safetensors", b"\xff" * 100, "damaged"),
    ],
)
def test_a_damaged_file_of_a_folder_is_named(tmp_path, name, bad, said):
    folder = write_folder(tmp_path / "net", tiny_network("linear"))
    (folder / name).write_bytes(bad)
    assert said in refusal(folder)


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "net.pth")
