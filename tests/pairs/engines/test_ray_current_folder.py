"""A Ray cluster that the engine starts itself, away from any other: only one can run in a process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from masked_photos import contents, photos
from tiny_networks import tiny_network, write_pth

from masks.progress import silent
from pairs.backends.dust3r.backend import PairNetworkOptions, make_mast3r
from pairs.engines.ray_engine import Ray
from pairs.prediction.store import PredictionStore


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of another project's packages
def test_code_of_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    here = tmp_path / "here"
    here.mkdir()
    for name in ("pairs", "masks", "numpy", "cv2", "torch"):
        (here / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'w').close()\nraise ImportError('no')\n"
        )
    weights = write_pth(tmp_path / "tiny.pth", tiny_network())
    made = make_mast3r(PairNetworkOptions(weights=weights, device="cpu", batch=2))
    views = photos(tmp_path)
    made.predict(views, None, PredictionStore(tmp_path / "one"), silent)
    monkeypatch.chdir(here)
    shared = replace(made, engine=Ray(workers=1))
    shared.predict(views, None, PredictionStore(tmp_path / "two"), silent)
    assert not (tmp_path / "ran").exists()
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
