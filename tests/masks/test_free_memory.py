"""What containers tell of their memory."""

from __future__ import annotations

from pathlib import Path

from masks.memory import container_memory


def test_a_container_has_what_its_limit_leaves(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    assert container_memory(tmp_path) == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert container_memory(tmp_path) is None
    assert container_memory(tmp_path / "gone") is None
