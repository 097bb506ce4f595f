"""Textures show what the photos show, where it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import painted_sphere
import pytest
from painted_sphere import SIZE, K, paint, photo_of, pose_at, shots, sphere_mesh

from align.meshes.figures import disagreeing, picture_errors
from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.surface import area_of_faces
from align.meshes.texture.bake import baked, seen_share
from align.meshes.texture.picture import colours_at, rendered
from align.meshes.texture.shots import Shot
from align.meshes.texture.unwrap import Atlas, fitting_size, texels_of, unwrapped
from masks.errors import UserError

TEXELS = 256


@cache
def atlas() -> Atlas:
    return unwrapped(sphere_mesh(), TEXELS)


@cache
def textured() -> TexturedMesh:
    return baked(sphere_mesh(), atlas(), TEXELS, shots())


def test_a_camera_that_took_no_photo_sees_the_true_colours() -> None:
    pose = pose_at(np.pi / 6)  # half way between two photos
    picture, covered = rendered(textured(), K, pose, SIZE)
    photo, inside = photo_of(pose)
    off = np.abs(picture.astype(float) - photo)[covered & inside]
    assert np.median(off) < 3
    assert off.mean() < 6


def test_half_a_texel_beside_is_worse() -> None:
    """The half-pixel law holds from photos to texels and back: what is rendered is not shifted."""
    points = sphere_mesh().vertices[sphere_mesh().faces].mean(1)
    middle = textured().corner_uv.mean(1)
    at_equator = np.abs(points[:, 2]) < 0.5
    true = paint(points / np.linalg.norm(points, axis=1, keepdims=True))[at_equator]

    def error(shift: tuple[float, float]) -> float:
        uv = middle + np.array(shift) / TEXELS
        return float(np.abs(colours_at(textured().texture, uv)[at_equator] - true).mean())

    beside = [error(shift) for shift in ((1.0, 0), (-1.0, 0), (0, 1.0), (0, -1.0))]
    assert error((0, 0)) < 0.8 * min(beside)


def test_charts_do_not_overlap_and_leave_no_face_out() -> None:
    corners = atlas().corner_uv.astype(float)
    side, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]) / 2
    assert (areas > 0).all()
    assert corners.min() >= 0
    assert corners.max() <= 1
    covered = texels_of(atlas().corner_uv, TEXELS).covered.sum()
    assert abs(covered / (areas.sum() * TEXELS**2) - 1) < 0.05


def test_small_units_lose_no_face() -> None:
    """An object of a tenth of a millimetre in metres has faces below float32's epsilon."""
    mesh = sphere_mesh()
    tiny = unwrapped(ObjectMesh(1e-4 * mesh.vertices, mesh.faces), TEXELS)
    side, other = (tiny.corner_uv[:, k] - tiny.corner_uv[:, 0] for k in (1, 2))
    assert (np.abs(side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]) > 0).all()


def test_what_no_photo_shows_is_counted_and_takes_the_colour_of_its_neighbours_in_space() -> None:
    mesh = sphere_mesh()
    one = baked(mesh, atlas(), TEXELS, shots()[:1])
    # The cap that a camera at a distance of 4 sees is 3/8 of the sphere; a pixel at its rim is not believed.
    assert 0.2 < seen_share(one) < 3 / 8
    assert seen_share(textured()) > 0.8
    raster = texels_of(atlas().corner_uv, TEXELS)
    points = np.einsum(
        "nc,nci->ni", raster.weights[raster.covered], mesh.vertices[mesh.faces[raster.face[raster.covered]]]
    )
    pole = points[:, 2] > 0.97
    seen = textured().seen[raster.covered]
    assert not seen[pole].any()
    colours = textured().texture[raster.covered].astype(float)
    rim = seen & (points[:, 2] > 0.7)
    # What is broad of a photo whose sphere is seven standard deviations wide is a mean of much of it.
    assert np.abs(colours[pole].mean(0) - colours[rim].mean(0)).max() < 35


def test_no_rays_run_from_the_rim_of_what_photos_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meridians in black and white: far from all of them an unseen cap is grey."""

    def meridians(points: np.ndarray) -> np.ndarray:
        white = np.sin(6 * np.arctan2(points[..., 1], points[..., 0])) > 0
        return np.repeat(np.where(white, 255.0, 0.0)[..., None], 3, -1)

    monkeypatch.setattr(painted_sphere, "paint", meridians)
    mesh = sphere_mesh()
    made = baked(mesh, atlas(), TEXELS, shots(12))
    height = mesh.vertices[mesh.faces].mean(1)[:, 2]
    middle = colours_at(made.texture, atlas().corner_uv.mean(1))[:, 0].astype(float)
    assert middle[np.abs(height) < 0.3].std() > 90
    assert middle[height > 0.95].std() < 25


def test_what_stands_before_a_surface_does_not_come_onto_it() -> None:
    """A small sphere hides a part of a large one from some cameras; its photos must not paint it there."""
    big = sphere_mesh()
    ball = 0.25 * sphere_mesh(2).vertices + [1.6, 0, 0]
    mesh = ObjectMesh(
        np.concatenate([big.vertices, ball]),
        np.concatenate([big.faces, sphere_mesh(2).faces + len(big.vertices)]).astype(np.int32),
    )

    def red_ball(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from align.meshes.texture.raster import picture_of

        picture, inside = photo_of(pose)
        raster = picture_of(mesh, K, pose, SIZE)
        of_ball = raster.covered & (raster.face >= len(big.faces))
        return np.where(of_ball[..., None], np.uint8([255, 0, 0]), picture), inside | of_ball

    taken = [replace(shot, read=lambda pose=shot.cam_from_world: red_ball(pose)) for shot in shots(12)]
    charts = unwrapped(mesh, TEXELS)
    made = baked(mesh, charts, TEXELS, taken)
    middle = colours_at(made.texture, charts.corner_uv.mean(1))
    red = middle[:, 1] < 20  # the paint is greener everywhere
    assert red[len(big.faces) :].mean() > 0.8
    assert red[: len(big.faces)].mean() < 0.005


def test_photos_finer_than_texels_do_not_alias() -> None:
    """A fine chequerboard becomes grey on a coarse texture, not the one or the other colour by chance."""
    shot = shots()[0]
    board = np.indices(SIZE[::-1]).sum(0) % 2 * 255

    def chequered() -> tuple[np.ndarray, np.ndarray]:
        return np.repeat(board[..., None], 3, -1).astype(np.uint8), shot.read()[1]

    coarse = baked(sphere_mesh(), unwrapped(sphere_mesh(), 64), 64, [replace(shot, read=chequered)])
    # Texels of 64 a side are 2.3 pixels wide here.
    assert np.abs(coarse.texture[coarse.seen].astype(float) - 127.5).mean() < 40


@pytest.mark.parametrize("texels", [TEXELS, 64])
def test_how_much_backdrop_there_is_around_the_object_does_not_matter(texels: int) -> None:
    """A large photo of a small object is looked at around the object alone, at its own scale or shrunk."""

    def widened(shot: Shot) -> Shot:
        def read() -> tuple[np.ndarray, np.ndarray]:
            picture, mask = shot.read()
            around = ((70, 10), (130, 20))
            return np.pad(picture, (*around, (0, 0)), constant_values=9), np.pad(mask, around)

        K_wide = np.add(shot.K, [[0, 0, 130], [0, 0, 70], [0, 0, 0]])
        return replace(shot, K=K_wide, size=(SIZE[0] + 150, SIZE[1] + 80), read=read)

    charts = unwrapped(sphere_mesh(), texels)
    plain = baked(sphere_mesh(), charts, texels, shots())
    wide = baked(sphere_mesh(), charts, texels, [widened(shot) for shot in shots()])
    off = np.abs(plain.texture.astype(int) - wide.texture)[plain.seen & wide.seen]
    assert np.mean(plain.seen == wide.seen) > 0.98
    # Shrinking averages other groups of pixels.
    assert np.quantile(off, 0.99) <= (1 if texels == TEXELS else 12)


def test_the_size_follows_the_photos() -> None:
    mesh = sphere_mesh()
    needed = np.sqrt(area_of_faces(mesh).sum() / 0.6) / 0.004
    size, notices = fitting_size(mesh, 0.004, None)
    assert size / 2 < needed <= size
    assert not notices
    assert fitting_size(mesh, 1.0, 1e9) == (512, ())
    assert fitting_size(mesh, 1e-6, 8e9) == (4096, ())


def test_the_size_follows_the_free_memory_and_says_so() -> None:
    size, notices = fitting_size(sphere_mesh(), 1e-6, 1e9)
    assert size == 2048
    assert "2048 texels a side, and the photos show 4096" in notices[0].text
    assert "1.1 GB are needed, and 1.0 GB are free" in notices[0].text
    assert fitting_size(sphere_mesh(), 1e-6, 0.0).texels == 512


def test_masks_without_object_are_an_error() -> None:
    empty = [
        replace(shot, read=lambda: (np.zeros((SIZE[1], SIZE[0], 3), np.uint8), np.zeros(SIZE[::-1], bool)))
        for shot in shots()
    ]
    with pytest.raises(UserError, match="texture=none"):
        baked(sphere_mesh(), atlas(), TEXELS, empty)


def test_pictures_are_compared_inside_of_masks() -> None:
    errors = picture_errors(textured(), shots())
    assert len(errors) == 6
    assert all(each.psnr > 28 and each.ssim > 0.9 and each.flow_px < 0.2 for each in errors)
    beside = np.array([[0, 0, 2.0], [0, 0, 0], [0, 0, 0]])
    moved = picture_errors(textured(), [replace(shot, K=np.add(shot.K, beside)) for shot in shots()])
    assert all(
        off.psnr < good.psnr - 6 and off.flow_px > 3 * good.flow_px for off, good in zip(moved, errors)
    )


def test_views_that_disagree_are_named_worst_first() -> None:
    overlaps = {"a": 0.99, "b": 0.93, "c": 0.991, "d": 0.5, "e": 0.985}
    assert disagreeing(overlaps) == ("d", "b")
    assert disagreeing({"a": 0.985, "b": 0.999, "c": 0.998}) == ()
    assert disagreeing({}) == ()
