"""The whole program on photographs that were warped through a known lens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from align.evaluation.camera_errors import evaluate
from align.export.cameras_json import read_cameras
from align.pipeline import reconstruct
from masks.lens import Lens, Undistortion, remap_to_photo

SET = Path(__file__).resolve().parents[3] / "shared" / "data" / "fountain-P11"
PINCUSHION = Lens("SIMPLE_RADIAL", (0.3,))
pytestmark = [
    pytest.mark.photos,
    pytest.mark.skipif(not SET.is_dir(), reason="the photo sets (../shared/data) are not here"),
]


def test_a_strong_pincushion_is_found_and_undone(tmp_path: Path) -> None:
    truth = []
    for camera in read_cameras(SET / "cameras.json"):
        photo = np.asarray(Image.open(SET / "images" / camera.file))
        size = (camera.width, camera.height)
        frame = Undistortion(PINCUSHION, tuple(tuple(row) for row in camera.K.tolist()), size, (0, 0))
        name = f"{Path(camera.file).stem}.png"
        Image.fromarray(remap_to_photo(frame, size, photo)).save(tmp_path / name, compress_level=1)
        truth.append(replace(camera, file=name))
    scene = reconstruct(tmp_path, "none", store=tmp_path / "store")
    found = evaluate(scene, truth)
    # 0.57 / 0.67 degrees and 3.4 % of focal as a pinhole; 0.035 / 0.057 and 0.1 % measured with the lens.
    assert found.registered == found.views == 11
    assert found.rotation_error_deg["median"] <= 0.10
    assert found.rotation_error_deg["max"] <= 0.16
    assert found.ate <= 0.001
    assert found.focal_error <= 0.003
    for lens in scene.lenses:
        assert lens is not None
        assert lens.coefficients[0] == pytest.approx(0.3, abs=0.006)
    assert all(view.pixel_map.undistortion is not None for view in scene.views)
