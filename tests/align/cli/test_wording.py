"""Messages of the library as the command line prints them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from align.cli.wording import in_options

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("pass `polarity=black`.", "pass --mask-polarity black."),
        ("another `device`, or", "another --device, or"),
        ("`max_frames=4` (or auto)", "--max-frames 4 (or auto)"),
        ("a `.pth` file of `masks.fill`", "a `.pth` file of `masks.fill`"),
        ("the package `pairs`", "the package `pairs`"),
    ],
)
def test_arguments_become_options(said: str, printed: str) -> None:
    assert in_options(said) == printed


@pytest.mark.parametrize("package", ["masks", "pairs", "align"])
def test_the_library_names_no_option_of_the_command_line(package: str) -> None:
    """Whatever a message of the library says of a choice reads right in Python, too."""
    said = []
    for path in sorted((ROOT / package).rglob("*.py")):
        if "cli" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said += [
                    f"{path.name}: {option}" for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", node.value)
                ]
    assert not said
