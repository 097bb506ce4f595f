"""The example of a backend in the documentation, run as it stands there.

Its entry point is found as that of an installed package is.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from masks.errors import UserError
from masks.progress import silent
from pairs.backends.registry import backend_names, make_backend
from pairs.prediction.checks import require_fitting, require_sound
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views

_PAGE = Path(__file__).parents[2] / "docs" / "backends.md"
_NAME = re.compile(r'^"""(\w+)\.py: ')


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Lay the page's module and entry point out as pip would, and return the module's name."""
    (source,) = (block for block in _blocks("python") if _NAME.match(block))
    found = _NAME.match(source)
    assert found is not None
    (declared,) = _blocks("toml")
    stated = re.fullmatch(r'\[project\.entry-points\."(.+)"\]\n(\w+) = "(.+)"\n', declared)
    assert stated is not None
    site = tmp_path / "site"
    info = site / "wall-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{found[1]}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wall\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{stated[1]}]\n{stated[2]} = {stated[3]}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    yield found[1]
    sys.modules.pop(found[1], None)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write two photos of noise."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(folder / name)
    return folder


def test_the_entry_point_on_the_page_offers_the_backend(package: str, photos: Path, tmp_path: Path) -> None:
    assert "wall" in backend_names()
    backend = make_backend("wall")
    views, _ = load_views(photos)
    store = PredictionStore(tmp_path / "store")
    predictions = backend.predict(views, None, store, silent)
    require_sound(predictions)
    entry = predictions.load(0)
    require_fitting(entry, *predictions.views)
    assert entry.ab is not None
    np.testing.assert_array_equal(entry.ab.a_in_a[..., 2], 1)
    # The wall is the same for both, so every pixel that is asked for is its own match.
    assert entry.matches is not None
    np.testing.assert_array_equal(entry.matches.xy_a, entry.matches.xy_b)
    assert len(entry.matches.conf) == (48 // 4) * (64 // 4)


def test_a_second_run_of_the_example_repeats_nothing(
    package: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, _ = load_views(photos)
    store = PredictionStore(tmp_path / "store")
    make_backend("wall").predict(views, None, store, silent)
    module = importlib.import_module(package)
    monkeypatch.setattr(module.Wall, "decode", lambda *_: pytest.fail("a finished pair was predicted again"))
    again = make_backend("wall").predict(views, None, store, silent)
    assert again.load(0).ab is not None


def test_the_example_has_an_option_of_its_own(package: str, photos: Path, tmp_path: Path) -> None:
    views, _ = load_views(photos)
    made = make_backend("wall", distance=2.0)
    entry = made.predict(views, None, PredictionStore(tmp_path / "store"), silent).load(0)
    assert entry.ab is not None
    np.testing.assert_array_equal(entry.ab.a_in_a[..., 2], 2)


def test_the_example_refuses_options_that_it_does_not_have(package: str) -> None:
    with pytest.raises(UserError, match="wall"):
        make_backend("wall", weights="x.pth")


def test_the_lines_for_python_run_as_they_stand(
    package: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    (lines,) = (block for block in _blocks("python") if not _NAME.match(block))
    exec(compile(lines, str(_PAGE), "exec"), {})
    assert capsys.readouterr().out == "(48, 64, 3) 192 matches\n"
