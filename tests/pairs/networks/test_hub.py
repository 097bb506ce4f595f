"""Published weights through the hub's real client, without a network: what lies in its cache is found, and
what does not is an error with the way out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "huggingface_hub", reason="the hub's client is an extra (pip install pointloom[networks])"
)

MAST3R = "MASt3R_ViTLarge_BaseDecoder_512_catmlpdpt_metric"
FOUND = {
    "mast3r": ("pairs.networks.dust3r.load", "find_checkpoint", f"naver/{MAST3R}", "model.safetensors"),
    "VGGT-1B": ("pairs.networks.vggt.load", "find_vggt", "facebook/VGGT-1B", "model.pt"),
}
ASK = """
import sys
from importlib import import_module
from masks.errors import UserError
module, function, name = sys.argv[1:]
try:
    print(getattr(import_module(module), function)(name))
except UserError as error:
    print("UserError", error)
"""


def asked(name: str, home: Path) -> str:
    """Return what a fresh process says: the client reads its settings when it is imported."""
    module, function, _, _ = FOUND[name]
    settings = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "POINTLOOM_MODELS": str(home / "models")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, module, function, name],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_what_lies_in_the_hubs_cache_is_found(tmp_path: Path, name: str) -> None:
    _, _, repository, file = FOUND[name]
    cached = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = cached / "snapshots" / ("0" * 40)
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / file).write_bytes(b"weights")
    (snapshot / "config.json").write_text("{}")
    said = asked(name, tmp_path)
    assert Path(said) in (snapshot, snapshot / file)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_without_network_the_way_out_is_said(tmp_path: Path, name: str) -> None:
    said = asked(name, tmp_path)
    assert said.startswith("UserError")
    assert "could not be downloaded" in said
    assert "yourself, and put it" in said
    assert str(tmp_path / "models") in said
