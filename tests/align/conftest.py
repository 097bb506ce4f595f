"""A small turntable that several tests reconstruct."""

from __future__ import annotations

from pathlib import Path

import pytest

from align.demo.turntable import TurntableOptions, render_turntable


@pytest.fixture(scope="session")
def turntable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, masks and cameras.json: 24 photos of 320 x 240."""
    folder = tmp_path_factory.mktemp("turntable")
    render_turntable(folder, TurntableOptions(size=(320, 240)))
    return folder
