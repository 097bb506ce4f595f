"""Backends by name: one offer a name, from whatever package."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from masks.errors import UserError
from pairs.backends.registry import GROUP, backend_names, make_backend


def offer(folder: Path, package: str, name: str) -> None:
    """Install a package that offers a backend, as installers write it down."""
    (folder / f"{package}.py").write_text(
        "from dataclasses import dataclass\nfrom pairs.backends.protocol import BackendKind\n\n\n"
        "@dataclass(frozen=True)\nclass Options:\n    depth: int = 1\n\n\n"
        f"KIND = BackendKind(Options, lambda options, seed: ({package!r}, options.depth, seed))\n"
    )
    described = folder / f"{package}-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {package}:KIND\n")


def test_another_package_adds_a_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "one_package", "of-theirs")
    monkeypatch.syspath_prepend(tmp_path)
    assert "of-theirs" in backend_names()
    assert make_backend("of-theirs", seed=3, depth=2) == ("one_package", 2, 3)
    with pytest.raises(
        UserError, match=r"`weights=x`: means nothing to the backend of-theirs, which has `depth`"
    ):
        make_backend("of-theirs", weights="x")


@pytest.mark.parametrize("name", ["of-theirs", "classical"])
def test_a_name_that_several_packages_offer_is_refused_with_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    offer(tmp_path, "one_package", name)
    offer(tmp_path, "two_package", name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UserError, match=rf"`backend={name}`: the packages .*one_package and .*two_package all"
    ):
        make_backend(name)
    assert backend_names().count(name) == 1


def test_our_own_backends_are_offered_once() -> None:
    ours = [point.name for point in entry_points(group=GROUP)]
    assert len(set(ours)) == len(ours)
    assert {"classical", "dust3r", "mast3r", "vggt", "vggt-pairs", "vggt-tracks"} <= set(ours)


def test_an_unknown_name_lists_the_installed_ones() -> None:
    with pytest.raises(
        UserError, match=r"`backend=magic`: unknown\. Installed: classical, dust3r, .*vggt-tracks"
    ):
        make_backend("magic")
