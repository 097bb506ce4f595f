"""Networks by name: where they are looked for, and what is said when they are nowhere."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import torch
from tiny_networks import random_images, tiny_network, write_folder, write_pth

from masks.errors import MissingExtraError, UserError
from pairs.networks.dust3r.load import PUBLISHED, SHORT_NAMES, find_checkpoint, load_network
from pairs.networks.weights import MODELS_VARIABLE

NAME = PUBLISHED[-1]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_path_is_loaded_and_answers_as_the_network_it_was(models):
    network = tiny_network()
    images = random_images(1, (32, 48)), random_images(1, (32, 48), seed=1)
    loaded = load_network(write_pth(models / "net.pth", network))
    torch.testing.assert_close(loaded(*images)[1].points, network(*images)[1].points)
    assert loaded(*images)[1].points.is_contiguous()


@pytest.mark.parametrize("name", [NAME, "mast3r", f"naver/{NAME}"])
def test_a_published_name_is_found_in_the_models_folder(models, name):
    path = write_pth(models / f"{NAME}.pth", tiny_network())
    assert find_checkpoint(name) == path


def test_a_name_is_a_name_also_where_a_folder_is_called_so(models, monkeypatch):
    path = write_pth(models / f"{NAME}.pth", tiny_network())
    (models / "here" / "mast3r").mkdir(parents=True)
    monkeypatch.chdir(models / "here")
    assert find_checkpoint("mast3r") == path
    assert find_checkpoint("./mast3r") == Path("mast3r")
    assert find_checkpoint(Path("mast3r")) == Path("mast3r")


def test_a_folder_of_a_published_name_will_do(models):
    folder = write_folder(models / NAME, tiny_network())
    assert find_checkpoint(NAME) == folder


def test_an_unknown_name_lists_the_known_ones(models):
    with pytest.raises(UserError, match="magic: no such file") as refused:
        load_network("magic")
    assert all(name in str(refused.value) for name in (*PUBLISHED, *SHORT_NAMES))


def test_without_the_hubs_client_the_message_says_which_file_to_put_where(models, monkeypatch):
    # An entry of None makes the import fail, as without the package.
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=rf"pip install pointloom\[networks\].*{NAME}\.pth.*{models}"):
        find_checkpoint("mast3r")


def hub(monkeypatch: pytest.MonkeyPatch, answer) -> None:
    """Put a stand-in for the hub's client in place: tests never use the network."""
    client = types.ModuleType("huggingface_hub")
    client.__dict__["snapshot_download"] = answer
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)


def test_without_network_the_message_says_which_file_to_put_where(models, monkeypatch):
    def offline(repository, allow_patterns):
        raise FileNotFoundError("Name or service not known\nmore")

    hub(monkeypatch, offline)
    with pytest.raises(
        UserError, match=rf"not known\)\. Download {NAME}\.pth yourself, and put it into {models}"
    ):
        find_checkpoint("mast3r")


def test_a_connection_that_breaks_under_way_is_a_failed_download(models, monkeypatch):
    class BrokenError(Exception):
        """As the clients' own: no OSError."""

    def broken(repository, allow_patterns):
        raise BrokenError("peer closed connection")

    hub(monkeypatch, broken)
    monkeypatch.setattr(
        sys.modules["huggingface_hub"], "errors", types.SimpleNamespace(HTTPError=BrokenError), raising=False
    )
    with pytest.raises(UserError, match=r"could not be downloaded \(peer closed connection\)\. Download"):
        find_checkpoint("mast3r")


def test_only_configuration_and_weights_are_downloaded(models, monkeypatch):
    folder = write_folder(models / "cache", tiny_network())
    asked = []

    def download(repository, allow_patterns):
        asked.append((repository, allow_patterns))
        return str(folder)

    hub(monkeypatch, download)
    assert find_checkpoint("mast3r") == folder
    assert asked == [(f"naver/{NAME}", ["config.json", "model.safetensors"])]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA accelerator")
def test_a_device_that_is_not_there_is_named(models):
    with pytest.raises(UserError, match="no CUDA accelerator"):
        load_network(write_pth(models / "net.pth", tiny_network("linear")), device="cuda")
