"""The wheel, tried in a bare environment: what a stranger's first lines need is in it."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of what would be released."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    names = ["pyproject.toml", "README.md", "LICENSE", "masks", "pairs", "align"]
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in names), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the python of an environment with the wheel, whose dependencies are those installed here."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    packages = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # The dependencies alone: an editable install is found by a hook, which is not run for this line.
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True
    )
    return python


def test_the_wheel_holds_the_three_packages_their_types_and_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"masks", "pairs", "align"}
    for package in ("masks", "pairs", "align"):
        assert f"{package}/py.typed" in names
        assert f"{package}/__init__.pyi" in names
    assert any(name.endswith("LICENSE") for name in names)


def test_the_command_says_its_version(bare: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [str(bare.parent / "pointloom"), "--version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"pointloom \d+\.\d+\.\d+\n", ran.stdout)


def test_the_first_lines_of_the_readme_work(bare: Path, tmp_path: Path) -> None:
    """The README's lines run as they stand, on photos and masks in the folders that they name."""
    from align.demo import TurntableOptions, render_turntable

    render_turntable(tmp_path / "turntable", TurntableOptions(size=(320, 240)))
    (tmp_path / "turntable" / "images").rename(tmp_path / "photos")
    (tmp_path / "turntable" / "masks").rename(tmp_path / "masks")
    for folder in ("photos", "masks"):
        for path in sorted((tmp_path / folder).iterdir())[8:]:
            path.unlink()
    lines = re.search(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.S)
    assert lines is not None
    ran = subprocess.run(
        [str(bare), "-c", lines[1]],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "POINTLOOM_STORE": str(tmp_path / "store"), "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "object.glb").stat().st_size > 10_000
