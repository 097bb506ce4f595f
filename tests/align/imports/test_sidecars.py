"""Sidecars of scanning benches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from align.imports.known_poses import read_known_poses
from align.imports.sidecars import read_sidecars
from masks.errors import FormatError
from pairs.views.cameras import camera_centres, is_rigid


def photos(folder: Path, *angles: object) -> list[Path]:
    found = [folder / f"{k}.jpg" for k in range(len(angles))]
    for photo, values in zip(found, angles):
        if values is not None:
            photo.with_suffix(".json").write_text(json.dumps(values))
    return found


def angles(azimuth: object, elevation: object = 30.0, radius: object = 250.0) -> dict[str, object]:
    return {"azimuth_deg": azimuth, "elevation_deg": elevation, "radius": radius, "stack_index": 3}


def test_cameras_look_at_the_origin_upright_in_every_sense(tmp_path: Path) -> None:
    senses = read_sidecars(photos(tmp_path, angles(0), angles(90), None))
    assert len(senses) == 4
    for sense in senses:
        assert sorted(sense.cam_from_world) == ["0.jpg", "1.jpg"]
        for pose in sense.cam_from_world.values():
            assert is_rigid(pose)
            np.testing.assert_allclose(pose[:3, 3], [0, 0, 250])
            assert pose[1, 2] < 0  # the picture's y goes down where the world's z goes up
    height = 250 * np.sin(np.radians(30))
    centres = [camera_centres(sense.cam_from_world["1.jpg"][None])[0] for sense in senses]
    expected = [(side, rise * height) for side in (1, -1) for rise in (1, -1)]
    np.testing.assert_allclose([np.sign(c[1]) for c in centres], [side for side, _ in expected])
    np.testing.assert_allclose([c[2] for c in centres], [rise for _, rise in expected])


def test_the_folder_of_the_photos_stands_for_them(tmp_path: Path) -> None:
    found = photos(tmp_path, angles(0), angles(10))
    assert isinstance(read_known_poses(tmp_path, found), tuple)
    assert isinstance(read_known_poses("sidecars", found), tuple)


@pytest.mark.parametrize("wrong", [{}, [], angles("x"), angles(1, 95), angles(1, 0, 0), angles(None)])
def test_a_wrong_sidecar_is_named(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"1\.json"):
        read_sidecars(photos(tmp_path, angles(0), wrong))


def test_none_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no sidecar beside the photos"):
        read_sidecars(photos(tmp_path, None, None))
