"""The documentation names only what exists: files, functions, headings, links, golden kinds, report keys.

Code cites a page as `(docs/PAGE.md, "Heading")`, the heading word for word, and a paper as
`arXiv:NUMBER, section N`.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from golden_kinds import handlers
from small_predictions import predictions

from align.global_alignment import align_predictions
from align.presets import PRESETS, with_options
from align.sparse.options import Stage
from align.sparse.robust import Gamma

ROOT = Path(__file__).resolve().parents[2]
CITED = re.compile(r'\((docs/[\w/]+\.md), "([^"]+)"\)')
ELSEWHERE = re.compile(
    r"specification|\bchapters?\s+\d|\bdesign,?\s+(?:chapter|section)|aligner's\s+design"
    r"|(?:sparse|dense|network|vggt)_spec\b|shared/design|solver\.md",
    re.IGNORECASE,
)
"""Words that point at documents which are not in the repository."""
SHORT = {"coarse": Stage(0.07, 3, Gamma(1.5)), "fine": Stage(0.01, 3, Gamma(0.5))}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


PAGES = tracked("*.md")
CODE = [path for path in tracked("*.py") if path != Path(__file__).resolve()]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """Return a source file in one line, without what marks comments and continued strings."""
    text = re.sub(r'"\s*\n\s*f?"', "", path.read_text())
    return re.sub(r"\s*\n\s*(?:#\s*)?", " ", text)


@cache
def headings(path: Path) -> tuple[str, ...]:
    outside = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return tuple(re.findall(r"^#+ (.+?)\s*$", outside, flags=re.MULTILINE))


def anchor(heading: str) -> str:
    """Return what a heading is linked by, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def definitions(path: Path) -> frozenset[str]:
    """Return the names that a source file defines at its top level, and those of its classes' members."""
    found: set[str] = set()
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text())
    for node in [*tree.body, *(m for c in tree.body if isinstance(c, ast.ClassDef) for m in c.body)]:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_a_page_names_exists(page):
    quoted = re.findall(
        r"`((?:align|pairs|masks|tests|benchmarks|docs|notebooks)/[\w./-]+)`", page.read_text()
    )
    missing = [path for path in quoted if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_function_named_beside_a_file_is_there(page):
    missing = []
    for path, names in re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", page.read_text()):
        missing += [
            f"{path}: {name}"
            for name in re.findall(r"`(\w+)`", names)
            if name not in definitions(ROOT / path)
        ]
    assert not missing


def test_every_golden_kind_that_a_page_names_is_compared():
    text = (ROOT / "docs" / "paper_to_code.md").read_text()
    kinds = re.findall(r"`(sparse|dense|network|vggt)/(\w+)`", text)
    assert len(kinds) > 30
    assert not [kind for kind in kinds if kind not in handlers()]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, part = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (part and part not in map(anchor, headings(linked))):
            broken.append(target)
    assert not broken


def test_links_of_the_readme_work_wherever_it_is_shown():
    """Package indexes show the README without the repository around it."""
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text())
    own = re.compile(
        r"https://(?:github|raw\.githubusercontent)\.com/pointloom/pointloom/(?:blob/)?main/([^#]+)"
    )
    paths = [found[1] for target in targets if (found := own.match(target))]
    assert len(paths) == len(targets) > 5
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_every_heading_that_code_cites_exists():
    missing = []
    for path in CODE:
        text = prose(path)
        for page in set(re.findall(r"\bdocs/[\w/]+\.md", text)):
            if not (ROOT / page).is_file():
                missing.append(f"{named(path)}: {page}")
        for page, heading in CITED.findall(text):
            if (ROOT / page).is_file() and heading not in headings(ROOT / page):
                missing.append(f'{named(path)}: {page}, "{heading}"')
    assert not missing


def test_nothing_points_at_documents_that_are_not_here():
    found = [
        f"{named(path)}: {match.group()}"
        for path in (*PAGES, *CODE)
        for match in ELSEWHERE.finditer(prose(path))
    ]
    assert not found


def test_every_subject_of_the_alignments_notices_is_explained():
    page = (ROOT / "docs" / "report.md").read_text()
    said = {
        node.args[0].value
        for path in tracked("align/*.py")
        if "cli" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("info", "warning", "left_out")
        and isinstance(node.args[0], ast.Constant)
    }
    assert said
    assert not [subject for subject in said if f"`{subject}`" not in page]


@pytest.mark.parametrize("preset", ["pointloom", "mast3r"])
def test_every_figure_of_the_report_is_explained(preset):
    page = (ROOT / "docs" / "report.md").read_text()
    few = with_options(PRESETS[preset], **({} if preset == "pointloom" else SHORT))
    figures = align_predictions(predictions(), few).report.figures
    assert len(figures) > 5
    assert not [key for key in figures if f"| `{key}` |" not in page]
