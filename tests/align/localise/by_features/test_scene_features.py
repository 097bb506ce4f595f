"""Features of a scene's views and the points that they lie on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from roof_scene import SCENE_ANGLES, noise, roof_scene, write_photo
from textured_roof import SIZE

from align.localise.by_features.scene_features import scene_features
from align.localise.by_features.scene_matches import photo_features
from align.scene import Scene
from masks.mask import Mask, holds, shrunk
from masks.pixelmap import fit_longest, image_to_target, intrinsics_to_target, to_source
from masks.progress import silent
from pairs.backends.classical.options import SolveOptions
from pairs.views.cameras import project
from pairs.views.load import load_views

OPTIONS = SolveOptions()


def distance_from_roof(points: np.ndarray) -> np.ndarray:
    """Return how far world points (N, 3) lie off the roof, z = 0.5 |x| / 0.9."""
    slope = 0.5 / 0.9
    return np.abs(points[:, 2] - slope * np.abs(points[:, 0])) / np.hypot(1, slope)


def test_points_lie_on_the_surface_where_the_feature_is_seen() -> None:
    scene = roof_scene()
    for found in scene_features(scene, {}, OPTIONS, silent):
        assert len(found.points) > 100
        assert np.median(distance_from_roof(found.points)) < 1e-4
        seen, _ = project(scene.cameras, found.points)
        np.testing.assert_allclose(seen[found.view], found.features.xy, atol=1e-3)


def with_depth(scene: Scene, change) -> Scene:
    return replace(scene, views=tuple(replace(view, **change(view)) for view in scene.views))


def test_no_point_is_read_across_an_edge_of_the_depth_or_without_confidence() -> None:
    scene = roof_scene()
    stepped = with_depth(scene, lambda v: {"depth": np.where(np.arange(320) < 160, v.depth, 2 * v.depth)})
    for found in scene_features(stepped, {}, OPTIONS, silent):
        assert np.abs(found.features.xy[:, 0] - 159.5).min() >= 1.5
    unsure = with_depth(scene, lambda v: {"conf": np.where(np.arange(320) < 160, v.conf, 0)})
    for found in scene_features(unsure, {}, OPTIONS, silent):
        assert found.features.xy[:, 0].max() <= 159


def test_features_lie_inside_the_mask_and_the_background_changes_none() -> None:
    one, other = (scene_features(roof_scene(backdrop=noise(k)), {}, OPTIONS, silent) for k in (1, 2))
    for a, b, view in zip(one, other, roof_scene().views):
        np.testing.assert_array_equal(a.features.xy, b.features.xy)
        np.testing.assert_array_equal(a.features.descriptors, b.features.descriptors)
        assert holds(view.mask, a.features.xy).all()


def test_the_rim_of_a_small_image_where_background_is_mixed_in_counts_no_more() -> None:
    def stained(seed: int) -> Scene:
        scene = roof_scene()
        rims = [view.mask & ~shrunk(view.mask, 1) for view in scene.views]
        images = [np.where(rim[..., None], noise(seed), view.image) for rim, view in zip(rims, scene.views)]
        views = tuple(replace(view, image=image) for view, image in zip(scene.views, images))
        return replace(scene, views=views)

    for a, b in zip(*(scene_features(stained(k), {}, OPTIONS, silent) for k in (1, 2))):
        np.testing.assert_array_equal(a.features.xy, b.features.xy)
        np.testing.assert_array_equal(a.features.descriptors, b.features.descriptors)


def test_a_view_without_depth_is_passed_over() -> None:
    scene = roof_scene()
    first = replace(scene.views[0], depth=np.zeros_like(scene.views[0].depth))
    found = scene_features(replace(scene, views=(first, *scene.views[1:])), {}, OPTIONS, silent)
    assert [each.view for each in found] == [1, 2, 3, 4, 5]


def test_features_of_a_photo_lie_on_the_smaller_grid_where_its_pixels_do(tmp_path: Path) -> None:
    scene, small = roof_scene(), fit_longest(SIZE, 160)
    views = tuple(
        replace(
            view,
            pixel_map=small,
            image=image_to_target(small, view.image),
            # Of each block of four pixels one: this test asks for places alone.
            **{name: getattr(view, name)[::2, ::2] for name in ("depth", "conf", "mask")},
        )
        for view in scene.views
    )
    K_small = intrinsics_to_target(small, scene.cameras.K)
    half = replace(scene, views=views, cameras=replace(scene.cameras, K=K_small))
    photos = {f"scene{k}.png": write_photo(tmp_path / f"scene{k}.png", a) for k, a in enumerate(SCENE_ANGLES)}
    originals, _ = load_views(list(photos.values()), "none")
    for found, original in zip(scene_features(half, photos, OPTIONS, silent), originals):
        whole = photo_features(replace(original, mask=Mask(scene.views[found.view].mask, "drawn")), OPTIONS)
        in_photo = to_source(small, found.features.xy)
        apart = np.linalg.norm(in_photo[:, None] - whole.xy, axis=2).min(1)
        # The scene's mask is coarser than the photo's own, and moves features at the rim only.
        assert np.median(apart) < 1e-3
