"""pointloom info: of the installation, of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_networks import model_string, tiny_config, tiny_network, write_folder, write_pth
from vggt_folder import small_folder

from align.cli.main import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["info", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_installation_lists_versions_and_backends(capsys):
    out = said(capsys)
    assert out.startswith("pointloom ")
    assert "classical" in out


def test_a_checkpoint_shows_family_sizes_heads_and_that_it_fits(tmp_path, capsys):
    for path in (
        write_pth(tmp_path / "net.pth", tiny_network()),
        write_folder(tmp_path / "net", tiny_network()),
    ):
        out = said(capsys, path)
        assert out.startswith("MASt3R, ")
        assert "2 blocks of 16 channels, heads: 2" in out
        assert "catmlp+dpt, DPT of 4 6 8 12 channels, fused 8, last 6" in out
        assert "descriptors of 8 channels with confidence (exp, 0 to inf)" in out
        assert "they fit the network" in out


def test_a_checkpoint_that_does_not_fit_says_what_is_missing(tmp_path, capsys):
    path = write_pth(
        tmp_path / "net.pth", tiny_network("linear"), text=model_string(tiny_config("linear"), enc_depth=3)
    )
    out = said(capsys, path)
    assert out.startswith("DUSt3R, ")
    assert "THEY DO NOT FIT" in out
    assert "12 tensors missing: enc_blocks.2.norm1.weight" in out


def test_a_checkpoint_of_vggt_shows_its_heads(tmp_path, capsys):
    out = said(capsys, small_folder(tmp_path / "vggt"))
    assert out.startswith("VGGT, ")
    assert "camera, depth, points, track" in out
    assert "they fit the network" in out


def test_a_file_that_is_no_checkpoint_is_the_users_mistake(tmp_path, capsys):
    (tmp_path / "net.pth").write_text("hello")
    assert main(["info", str(tmp_path / "net.pth")]) == 2
    assert "net.pth: is no torch checkpoint" in capsys.readouterr().err
