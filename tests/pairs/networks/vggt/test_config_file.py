"""Configurations beside weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_vggt import small_config, small_vggt, write_config, write_safetensors

from masks.errors import FormatError
from pairs.networks.vggt.config import VGGT_1B, VGGT_TRACKER_FIXED, VggtConfig, with_heads
from pairs.networks.vggt.config_file import CONFIG_NAME, read_config
from pairs.networks.vggt.load import config_of, load_vggt

CONFIGS = (
    VGGT_1B,
    VGGT_TRACKER_FIXED,
    small_config(),
    small_config(dino=False),
    with_heads(VGGT_1B, frozenset({"camera"})),
)


@pytest.mark.parametrize("config", CONFIGS)
def test_what_was_written_is_read_again(tmp_path: Path, config: VggtConfig) -> None:
    write_config(config, tmp_path / CONFIG_NAME)
    assert read_config(tmp_path / CONFIG_NAME) == config


def test_what_is_left_out_is_as_published(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text('{"aggregator": {}, "points": null}')
    assert read_config(tmp_path / CONFIG_NAME) == with_heads(VGGT_1B, frozenset({"camera", "depth", "track"}))


def test_a_folder_with_its_configuration_is_loaded(tmp_path: Path) -> None:
    write_config(small_config(), tmp_path / CONFIG_NAME)
    write_safetensors(tmp_path / "model.safetensors", small_vggt())
    assert load_vggt(tmp_path).config == small_config()


def test_a_configuration_of_the_hub_says_nothing_about_the_network(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text('{"img_size": 518, "patch_size": 14}')
    assert config_of(tmp_path / "model.safetensors") == VGGT_1B


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "cannot be read as JSON"),
        ('{"aggregator": {"dim": "wide"}}', r"aggregator\.dim cannot be 'wide'"),
        ('{"aggregator": {"dim": true}}', r"aggregator\.dim cannot be True"),
        ('{"aggregator": {"depth": 1000000000}}', r"aggregator\.depth cannot be 1000000000"),
        ('{"aggregator": {"order": ["frame", "frame"]}}', "does not hold each once"),
        ('{"aggregator": {"order": ["frame", "other"]}}', "cannot be 'other'"),
        ('{"aggregator": {}, "roof": 1}', "roof is not known"),
        ('{"aggregator": {"depth": 300}}', r"aggregator\.depth cannot be 300"),
        ('{"aggregator": {"mlp_ratio": Infinity}}', r"aggregator\.mlp_ratio cannot be inf"),
        ('{"aggregator": {"mlp_ratio": 1e300}}', r"aggregator\.mlp_ratio cannot be 1e\+300"),
        ("[" * 1000, "cannot be read as JSON"),
        ('{"aggregator": {}, "depth": {"layers": [1, 2]}}', r"depth\.output is missing"),
        ('{"aggregator": {}, "depth": {"output": null, "layers": [1, 2]}}', "needs 4 values"),
        ('{"aggregator": 3}', "needs named entries"),
        ('{"aggregator": {}, "track": {"iterations": 1.5}}', r"track\.iterations cannot be 1\.5"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / CONFIG_NAME).write_text(text)
    with pytest.raises(FormatError, match=said):
        read_config(tmp_path / CONFIG_NAME)
