"""The public names are those that the documentation lists, and asking for a package loads nothing heavy."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"
ROOMS = (
    "masks",
    "pairs",
    "align",
    "align.export",
    "align.imports",
    "align.meshes",
    "align.objects",
    "align.show",
    "align.demo",
)


def documented(room: str) -> list[str]:
    """Return the names in the first column of the page's table of a package."""
    section = PAGE.read_text().split(f"## {room}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return sorted(name for row in rows for name in re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_those_that_the_page_lists(room: str) -> None:
    assert sorted(importlib.import_module(room).__all__) == documented(room)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_what_it_says_whatever_was_imported_before(room: str) -> None:
    package = importlib.import_module(room)
    for found in pkgutil.walk_packages(package.__path__, f"{room}."):
        if not found.name.endswith("ray_engine"):
            importlib.import_module(found.name)
    shadowed = [name for name in package.__all__ if isinstance(getattr(package, name), ModuleType)]
    assert not shadowed


def test_importing_the_packages_loads_nothing_heavy() -> None:
    code = "import align, pairs, masks, sys; print('torch' in sys.modules or 'numpy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize("room", ROOMS)
def test_help_lists_the_public_names(room: str) -> None:
    code = f"import {room}; help({room})"
    page = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    missing = [name for name in documented(room) if name not in page]
    assert not missing
    assert "DESCRIPTION" in page


def test_the_version_stands_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    assert cited is not None
    assert cited[1] == project["version"]
