"""`pointloom --version` and the packages of other distributions that have the same names."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

RUN = "import sys; from align.cli.entry import run; sys.exit(run())"


def pointloom(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    places = os.pathsep.join(str(place) for place in (path, root) if place is not None)
    return subprocess.run(
        [sys.executable, "-P", "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": places},
    )


def distribution(folder: Path, name: str, package: str) -> Path:
    """Write the metadata that an installed distribution with one package leaves."""
    info = folder / f"{name}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")
    return folder


def test_the_version_is_that_of_the_distribution() -> None:
    ran = pointloom("--version")
    assert (ran.returncode, ran.stdout) == (0, f"pointloom {version('pointloom')}\n"), ran.stderr


@pytest.mark.parametrize("package", ["masks", "align"])
def test_a_distribution_with_a_package_of_the_same_name_is_named(tmp_path: Path, package: str) -> None:
    ran = pointloom("--version", path=distribution(tmp_path, f"other-{package}", package))
    assert ran.returncode == 2
    assert f"`{package}` is also installed by other-{package}" in ran.stderr


def test_a_package_of_another_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.py").write_text("")
    ran = pointloom("--version", path=tmp_path)
    assert ran.returncode == 2
    assert f"`pairs` is taken from {tmp_path}" in ran.stderr


def test_a_command_that_cannot_be_imported_names_the_thief(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for name in ("__init__", "errors"):
        (tmp_path / "masks" / f"{name}.py").write_text("")
    ran = pointloom("info", path=distribution(tmp_path, "masks", "masks"))
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert "`masks` is also installed by masks" in ran.stderr
