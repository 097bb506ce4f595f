import numpy as np

from align.depth_maps.sky import sky_pixels

BLUE, CLOUD, GRASS = (90, 140, 230), (235, 235, 235), (40, 120, 30)


def _picture() -> np.ndarray:
    """Return a blue sky with a cloud over grass, 60 x 80."""
    image = np.full((60, 80, 3), GRASS, np.uint8)
    image[:30] = BLUE
    image[5:12, 20:40] = CLOUD
    return image


def test_blue_and_clouds_are_sky_and_grass_is_not() -> None:
    expected = np.zeros((60, 80), bool)
    expected[:30] = True
    assert np.array_equal(sky_pixels(_picture()), expected)


def test_small_blue_things_and_thin_ones_are_no_sky() -> None:
    image = _picture()
    image[40:50, 10:20] = BLUE
    image[35:58, 60:64] = BLUE
    assert not sky_pixels(image)[30:].any()


def test_a_second_area_of_more_than_half_the_size_is_sky_too() -> None:
    image = _picture()
    image[38:58] = BLUE  # 1600 pixels of 2400
    assert sky_pixels(image)[38:58].all()


def test_a_picture_without_sky_has_none() -> None:
    assert not sky_pixels(np.full((20, 30, 3), GRASS, np.uint8)).any()
