"""What is assumed of a new photo's lens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from roof_scene import roof_scene
from textured_roof import SIZE, K

from align.localise.by_features.query_camera import lens_guesses, mirrored_lens
from masks.pixelmap import identity
from pairs.views.view import View


def view(camera: str, focal: float | None = None) -> View:
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    return View("new.png", None, image, identity(SIZE), None, "", camera=camera, focal_exif=focal)


def test_the_scenes_lens_counts_before_exifs_and_a_focal_that_is_sought_comes_last() -> None:
    scene = roof_scene()
    assert [lens.source for lens in lens_guesses(view("320x240", 700), scene)] == ["scene", "sought"]
    assert [lens.source for lens in lens_guesses(view("another", 700), scene)] == ["EXIF", "sought"]
    assert [lens.source for lens in lens_guesses(view("another"), scene)] == ["sought"]
    np.testing.assert_allclose(lens_guesses(view("320x240"), scene)[0].camera.K, K)
    by_exif = lens_guesses(view("another", 700), scene)[0].camera.K
    np.testing.assert_allclose(by_exif, [[700, 0, 159.5], [0, 700, 119.5], [0, 0, 1]])
    assert not lens_guesses(view("another"), scene)[0].camera.focal_known


def test_equal_names_of_cameras_with_pictures_of_other_sizes_are_no_equal_lenses() -> None:
    scene = roof_scene()
    smaller = tuple(replace(v, pixel_map=replace(v.pixel_map, source_size=(640, 480))) for v in scene.views)
    cropped = replace(scene, views=smaller)
    assert [lens.source for lens in lens_guesses(view("320x240"), cropped)] == ["sought"]


def test_a_mirrored_lens_has_its_principal_point_on_the_other_side() -> None:
    odd = replace(lens_guesses(view("320x240"), roof_scene())[0])
    K_odd = K.copy()
    K_odd[0, 2] = 100
    turned = mirrored_lens(replace(odd, camera=replace(odd.camera, K=K_odd)))
    assert turned.camera.K[0, 2] == 219
    assert K_odd[0, 2] == 100
