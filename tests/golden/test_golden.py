"""Every golden case of a folder, one test a case: `pytest tests/golden --golden FOLDER`.

Without the option the whole set beside the repository is compared, or, where there is none, the small one
that travels with it: the smallest case of nearly every kind.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_case import Comparison, find_cases, load_case
from golden_kinds import handlers

WHOLE_SET = Path(__file__).parents[3] / "shared" / "golden"
SMALL_SET = Path(__file__).parent / "small"
NO_COMPARISON = {("sparse", "scene"): "a scene is the input of other cases"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    given: Path | None = metafunc.config.getoption("--golden")
    root = given or (WHOLE_SET if WHOLE_SET.is_dir() else SMALL_SET)
    folders = find_cases(root)
    if not folders:
        raise pytest.UsageError(f"--golden {root}: no golden case (a folder with case.json) lies there")
    params = [
        pytest.param(folder, id=str(folder.relative_to(root)), marks=_marks(folder)) for folder in folders
    ]
    metafunc.parametrize("folder", params)


def _marks(folder: Path) -> tuple[pytest.MarkDecorator, ...]:
    case = load_case(folder)
    return (pytest.mark.slow,) if case.options.get("slow") or case.kind == "model_full" else ()


def test_case(folder: Path) -> None:
    case = load_case(folder)
    if (case.family, case.kind) in NO_COMPARISON:
        pytest.skip(NO_COMPARISON[case.family, case.kind])
    known = handlers()
    if (case.family, case.kind) not in known:
        pytest.skip(f"not yet: {case.family}/{case.kind}")
    handler, check = known[case.family, case.kind]
    result = handler(case)
    check(case, result if isinstance(result, Comparison) else Comparison(result, case.outputs))
