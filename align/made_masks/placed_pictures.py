"""Working pictures whose cameras are known, and pixel maps between them and everything else.

Masks are made on the upright photos; silhouettes are compared on pinhole pictures of the same size, which are
the same pictures where no lens is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from align.scene import Scene
from masks.image_file import ImageFacts
from masks.lens import Undistortion, ideal_frame, photo_from_ideal
from masks.making.pictures import LONGEST, working_map
from masks.mask import holds
from masks.pixelmap import PixelMap, fit_longest, intrinsics_to_target, to_source, to_target
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.views.cameras import Cameras, some_cameras
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class PlacedPictures:
    """Cameras of P photos, on the pinhole pictures that stand for their working pictures."""

    photos: tuple[int, ...]
    """Which of the photos, ascending."""
    working: tuple[PixelMap, ...]  # from the upright photos to the working pictures
    pinholes: tuple[PixelMap, ...]  # from the upright photos to the pinhole pictures
    cameras: Cameras
    """K in pixels of the pinhole pictures."""

    def to_pinholes(self, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the masks (H, W) bool of all working pictures on the pinhole pictures of the placed ones."""
        maps = zip(self.photos, self.working, self.pinholes)
        return [carried(masks[photo], here, there) for photo, here, there in maps]

    def to_working(self, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return masks (H, W) bool of the pinhole pictures on the working pictures of the placed photos."""
        maps = zip(masks, self.working, self.pinholes)
        return [carried(mask, there, here) for mask, here, there in maps]


def some_placed(placed: PlacedPictures, chosen: np.ndarray) -> PlacedPictures:
    """Return some of the placed pictures, by their positions (n,), ascending."""
    return PlacedPictures(
        tuple(placed.photos[k] for k in chosen),
        tuple(placed.working[k] for k in chosen),
        tuple(placed.pinholes[k] for k in chosen),
        some_cameras(placed.cameras, chosen),
    )


def carried(picture: np.ndarray, its_map: PixelMap, onto: PixelMap) -> np.ndarray:
    """Return a picture (H, W), bool or float32, on another grid of the same upright photo: two maps that
    start at it. What the picture does not show is 0, or False.
    """
    if its_map == onto:
        return picture
    w, h = onto.target_size
    y, x = np.mgrid[:h, :w]
    at = to_target(its_map, to_source(onto, np.stack([x, y], axis=-1)))
    # Where a lens shows nothing.
    at = np.where(np.isfinite(at), at, -10.0).astype(np.float32)
    source = picture.astype(np.float32)
    read = cv2.remap(source, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return read >= 0.5 if picture.dtype == bool else read


def placed_by_solve(views: Sequence[View], solve: SceneSolve, facts: Sequence[ImageFacts]) -> PlacedPictures:
    """Return the pictures of the photos that a solve has placed; `views` are those of all photos."""
    lenses = solve.lenses or (None,) * len(solve.placed)
    frames, K = [], solve.cameras.K.copy()
    for position, (photo, lens) in enumerate(zip(solve.placed, lenses)):
        frame = views[photo].pixel_map.undistortion
        if lens is not None:
            frame = ideal_frame(lens, K[position], views[photo].photo_size)
            K[position] = frame.K_ideal
        frames.append(frame)
    return _placed(solve.placed, frames, Cameras(K, solve.cameras.cam_from_world), facts)


def placed_by_scene(scene: Scene, facts: Sequence[ImageFacts]) -> PlacedPictures:
    """Return the pictures of the photos that are in a scene."""
    number = {fact.path.name: k for k, fact in enumerate(facts)}
    photos = [number[view.name] for view in scene.views]
    frames = [view.pixel_map.undistortion for view in scene.views]
    return _placed(photos, frames, scene.at_ideal(), facts)


def _placed(
    photos: Sequence[int],
    frames: Sequence[Undistortion | None],
    cameras: Cameras,
    facts: Sequence[ImageFacts],
) -> PlacedPictures:
    """Return the pictures by the K of their full ideal pictures."""
    working, pinholes, K = [], [], []
    for photo, frame, own in zip(photos, frames, cameras.K):
        upright = facts[photo].upright_size
        to_pinhole = fit_longest(upright if frame is None else frame.ideal_size, LONGEST)
        K.append(intrinsics_to_target(to_pinhole, own))
        working.append(working_map(facts[photo]).upright())
        pinholes.append(replace(to_pinhole, source_size=upright, undistortion=frame))
    found = Cameras(np.stack(K), cameras.cam_from_world)
    return PlacedPictures(tuple(photos), tuple(working), tuple(pinholes), found)


def points_on_masks(
    views: Sequence[View], solve: SceneSolve, masks: Sequence[np.ndarray], facts: Sequence[ImageFacts]
) -> np.ndarray:
    """Return the scene points (N, 3) that lie on the masks (H, W) bool of the working pictures, by more than
    half of their observations.
    """
    on = observed_on_masks(views, solve, masks, facts)
    seen = np.bincount(solve.observed_point, minlength=len(solve.points))
    seen_on = np.bincount(solve.observed_point[on], minlength=len(solve.points))
    return solve.points[seen_on > 0.5 * seen]


def observed_on_masks(
    views: Sequence[View], solve: SceneSolve, masks: Sequence[np.ndarray], facts: Sequence[ImageFacts]
) -> np.ndarray:
    """Return which observations (M,) of a solve lie on the masks (H, W) bool of the working pictures."""
    on = np.zeros(len(solve.observed_by), bool)
    for position, photo in enumerate(solve.placed):
        mine = solve.observed_by == position
        xy, frame = solve.observed_xy[mine], views[photo].pixel_map.undistortion
        xy = xy if frame is None else photo_from_ideal(frame, xy)
        on[mine] = holds(masks[photo], to_target(working_map(facts[photo]).upright(), xy))
    return on
