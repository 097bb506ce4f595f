"""Features of new photos, and their mirror images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from roof_scene import before, noise
from textured_roof import SIZE

from align.localise.by_features.scene_matches import mirrored, photo_features
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.features import comparable
from pairs.backends.classical.sfm.matching import mutual_matches
from pairs.views.load import load_views


def test_mirrored_features_are_those_of_the_mirrored_photo(tmp_path: Path) -> None:
    photo, _ = before(noise(1), 8.0)
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(photo[:, ::-1]).save(tmp_path / "b.png")
    a, b = (photo_features(view, SolveOptions()) for view in load_views(tmp_path, "none")[0])
    turned = mirrored(a, SIZE[0])
    i, j = mutual_matches(comparable(turned.descriptors), comparable(b.descriptors), 0.85).T
    assert len(i) > 0.95 * len(a)
    # All but a few, which another orientation of the same place wins.
    near = np.linalg.norm(turned.xy[i] - b.xy[j], axis=1) < 0.01
    assert near.mean() > 0.95
    # A mirror image has other descriptors: what is compared is no accident.
    plain = mutual_matches(comparable(a.descriptors), comparable(b.descriptors), 0.85)
    assert len(plain) < 0.5 * len(i)
