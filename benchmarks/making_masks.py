"""Print one table: masks as `pointloom masks` makes them against true ones.

    python benchmarks/making_masks.py DATA WORK [SET ...]

DATA is a folder of photo sets with masks (the Oxford and Middlebury sets); WORK keeps what is rendered, and
the cameras. Sets:
demo, demo_seed_1, oxford_dino_static, oxford_dino, dinoSparseRing, templeSparseRing, and the demo with what
goes wrong in studios: empty (its backdrop photographed alone), marked_disc (which turns with the object),
mirror_disc (which shows it once more), bump (the camera is touched half-way), flicker (every photo is exposed
otherwise), hand (beside it in three photos), touching_hand (in three); all without one.

IoU is mean / worst at the photos' size; missing and false are shares of object and mask that lie more than
5 pixels from the true rim, in percent; seconds are CPU seconds a photo, the cameras' apart (none where WORK
has them already), memory is the peak of the process.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from align.demo.render import Backdrop, Studio, render_backdrop
from align.demo.room import PLATE_Z, furnish, meet
from align.demo.turntable import TurntableOptions, build_studio, render_turntable, render_view
from align.made_masks.make_masks import make_masks
from align.made_masks.mask_work import MaskOptions
from align.show.image_file import write_image
from masks.errors import UserError
from masks.files import list_photos
from masks.image_file import open_image, open_levels
from masks.making.check import doubtful
from masks.making.choice import Road
from masks.making.made import MadeMasks, MakingOptions

FAR_PX = 5
VIEWS = 24


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """A folder with images/ and masks/, how masks of it are made, and what they should reach."""

    root: Path
    options: MakingOptions
    floor: tuple[float, float] | None


def photo_sets(data: Path, work: Path) -> dict[str, Callable[[], PhotoSet]]:
    """Return the sets by name; a set is rendered when it is asked for."""
    auto, fill = MakingOptions(), MakingOptions(holes="fill")
    empty = MakingOptions(road=Road.EMPTY, empty=work / "empty" / "empty.png")
    floor = (0.985, 0.98)
    return {
        "demo": lambda: PhotoSet(demo(work, 0), auto, floor),
        "demo_seed_1": lambda: PhotoSet(demo(work, 1), auto, floor),
        "oxford_dino_static": lambda: PhotoSet(data / "oxford_dino_static", auto, (0.95, 0.935)),
        "oxford_dino": lambda: PhotoSet(data / "oxford_dino", auto, (0.967, 0.945)),
        "dinoSparseRing": lambda: PhotoSet(data / "dinoSparseRing", auto, (0.98, 0.93)),
        "templeSparseRing": lambda: PhotoSet(data / "templeSparseRing", fill, (0.968, 0.93)),
        "empty": lambda: PhotoSet(with_empty(work), empty, None),
        "marked_disc": lambda: PhotoSet(marked_disc(work), auto, None),
        "mirror_disc": lambda: PhotoSet(mirror_disc(work), auto, None),
        "bump": lambda: PhotoSet(bumped(work), auto, None),
        "flicker": lambda: PhotoSet(flickering(work), auto, None),
        "hand": lambda: PhotoSet(with_hand(work), auto, None),
        "touching_hand": lambda: PhotoSet(with_touching_hand(work), auto, None),
    }


def demo(work: Path, seed: int) -> Path:
    """Return the demo's set, rendered once."""
    root = work / f"demo_{seed}"
    if not (root / "cameras.json").exists():
        render_turntable(root, TurntableOptions(seed=seed))
    return root


def _written(root: Path, views: Iterator[tuple[np.ndarray, np.ndarray]]) -> Path:
    if not (root / "masks" / f"{VIEWS - 1:03d}.png").exists():
        for k, (photo, mask) in enumerate(views):
            write_image(root / "images" / f"{k:03d}.png", photo)
            write_image(root / "masks" / f"{k:03d}.png", mask.astype(np.uint8) * 255)
    return root


def _views(root: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for k in range(VIEWS):
        name = f"{k:03d}.png"
        yield open_image(root / "images" / name).pixels, open_levels(root / "masks" / name) > 127


def with_empty(work: Path) -> Path:
    """Return the demo with a photo of its empty backdrop."""
    root = work / "empty"
    if not (root / "empty.png").exists():
        colour = build_studio(TurntableOptions()).backdrop.colour
        noise = 1.5 * np.random.default_rng(99).standard_normal(colour.shape)
        levels = 255 * np.clip(colour, 0, 1) ** (1 / 2.2) + noise
        write_image(root / "empty.png", np.clip(np.rint(levels), 0, 255).astype(np.uint8))
    return _written(root, _views(demo(work, 0)))


def marked_disc(work: Path) -> Path:
    """Return the demo on a disc with bold marks, which turns with the pot."""
    options = TurntableOptions()

    def views() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        studio = build_studio(options)
        for k in range(VIEWS):
            turned = replace(studio, backdrop=_marked(studio, 2 * np.pi * k / VIEWS))
            view = render_view(turned, options, k)
            yield view.image, view.mask

    return _written(work / "marked_disc", views())


def _marked(studio: Studio, turn_rad: float) -> Backdrop:
    points, top = _disc_top(studio)
    angle = np.arctan2(points[top, 1], points[top, 0]) - turn_rad
    radius = np.hypot(points[top, 0], points[top, 1])
    # Sectors of two rings, all different: a scale of degrees and letters would look so.
    code = np.random.default_rng(5).random((2, 40))
    marked = code[(radius > 0.68).astype(int), (angle / (2 * np.pi) * 40).astype(int) % 40] > 0.5
    colour = studio.backdrop.colour.reshape(-1, 3).copy()
    colour[np.flatnonzero(top)[marked]] = (0.75, 0.72, 0.2)
    return replace(studio.backdrop, colour=colour.reshape(studio.backdrop.colour.shape))


def _disc_top(studio: Studio) -> tuple[np.ndarray, np.ndarray]:
    """Return what each pixel (N,) shows of the room (N, 3), and whether it is the disc's top."""
    camera = studio.camera
    R = camera.cam_from_room[:3, :3]
    rows, columns = np.indices((camera.height, camera.width)).reshape(2, -1)
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(camera.K).T @ R
    points, what = meet(-R.T @ camera.cam_from_room[:3, 3], rays)
    return points, (what == 2) & (np.abs(points[:, 2] - PLATE_Z) < 1e-6)


def mirror_disc(work: Path) -> Path:
    """Return the demo on its grey disc, polished: it reflects half of what stands on it."""
    options = TurntableOptions()

    def views() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        studio = build_studio(options)
        camera, backdrop = studio.camera, studio.backdrop
        top = _disc_top(studio)[1].reshape(camera.height, camera.width)
        below = np.diag([1.0, 1, -1, 1])
        below[2, 3] = 2 * PLATE_Z
        # What is seen in a mirror is seen from below it, left and right exchanged.
        pose = np.diag([-1.0, 1, 1, 1]) @ camera.cam_from_room @ below
        from_below = replace(studio, camera=replace(camera, cam_from_room=pose))
        for k in range(VIEWS):
            seen = render_view(from_below, replace(options, noise=0.0), k)
            light = (seen.image[:, ::-1] / 255.0) ** 2.2
            shown = (seen.mask[:, ::-1] & top)[..., None]
            colour = np.where(shown, (backdrop.colour + light) / 2, backdrop.colour)
            view = render_view(replace(studio, backdrop=replace(backdrop, colour=colour)), options, k)
            yield view.image, view.mask

    return _written(work / "mirror_disc", views())


def bumped(work: Path) -> Path:
    """Return the demo with a camera that is touched before photo 12: it turns by about 5 pixels."""

    def views() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        options = TurntableOptions()
        studio = build_studio(options)
        turn = cv2.Rodrigues(np.array([0.003, 0.005, 0.002]))[0]
        pose = np.eye(4)
        pose[:3, :3] = turn
        camera = replace(studio.camera, cam_from_room=pose @ studio.camera.cam_from_room)
        room = furnish(texels_seen=camera.K[0, 0] / (options.distance + 2.5), seed=options.seed)
        touched = replace(studio, camera=camera, backdrop=render_backdrop(camera, room))
        for k, before in enumerate(_views(demo(work, 0))):
            view = None if k < 12 else render_view(touched, options, k)
            yield before if view is None else (view.image, view.mask)

    return _written(work / "bump", views())


def flickering(work: Path) -> Path:
    """Return the demo with exposures between 0.75 and 1.3."""

    def views() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(7)
        for photo, mask in _views(demo(work, 0)):
            gain = np.exp(rng.uniform(np.log(0.75), np.log(1.3)))
            yield np.clip(np.rint(photo * gain), 0, 255).astype(np.uint8), mask

    return _written(work / "flicker", views())


def with_hand(work: Path) -> Path:
    """Return the demo with an arm that reaches in from the right in three photos, as when it is turned by
    hand.
    """

    def views() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for k, (photo, mask) in enumerate(_views(demo(work, 0))):
            yield (_with_arm(photo, mask, k) if k in (5, 6, 13) else photo), mask

    return _written(work / "hand", views())


def with_touching_hand(work: Path) -> Path:
    """Return the demo with a hand before the pot in three photos; what it hides is not the object."""

    def views() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for k, (photo, mask) in enumerate(_views(demo(work, 0))):
            if k not in (5, 6, 7):
                yield photo, mask
                continue
            arm = _arm((490, 370), (455, 375), (70, 32), 330 + 5 * k, mask.shape)
            yield _skinned(photo, arm, k), mask & (arm == 0)

    return _written(work / "touching_hand", views())


def _with_arm(photo: np.ndarray, mask: np.ndarray, k: int) -> np.ndarray:
    arm = _arm((520, 380), (505, 385), (48, 30), 330 + 5 * k, mask.shape)
    # It stands beside the pot, not before it.
    return _skinned(photo, (arm > 0) & ~mask, k)


def _arm(
    wrist: tuple[int, int],
    palm: tuple[int, int],
    half: tuple[int, int],
    from_row: int,
    shape: tuple[int, ...],
) -> np.ndarray:
    arm = np.zeros(shape, np.uint8)
    cv2.line(arm, (660, from_row), wrist, 1, 46)
    cv2.ellipse(arm, palm, half, -20, 0, 360, 1, -1)
    return arm


def _skinned(photo: np.ndarray, where: np.ndarray, seed: int) -> np.ndarray:
    light = np.linspace(0.75, 1.1, len(where))[:, None, None]
    skin = np.array([214, 160, 130]) * light + np.random.default_rng(seed).normal(0, 2, photo.shape)
    skin = np.clip(skin, 0, 255)
    soft = cv2.GaussianBlur((where > 0).astype(np.float32), (0, 0), 0.8)[..., None]
    return np.rint(soft * skin + (1 - soft) * photo).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Score:
    """How made masks compare with true ones."""

    iou: np.ndarray  # (V,)
    missing: float
    false: float


def score(made: MadeMasks, root: Path, names: list[str]) -> Score:
    """Compare made masks with the true ones of a set."""
    iou, missing, false = [], [], []
    for name, mask in zip(names, made.masks):
        file = root / "masks" / f"{name}.png"
        true = open_levels(file if file.exists() else root / "masks" / name) > 127
        own = mask.pixels
        iou.append((own & true).sum() / max(1, (own | true).sum()))
        far = cv2.distanceTransform(1 - _rim(true), cv2.DIST_L2, 5) > FAR_PX
        missing.append((true & ~own & far).sum() / max(1, true.sum()))
        false.append((own & ~true & far).sum() / max(1, own.sum()))
    return Score(np.array(iou), 100 * float(np.mean(missing)), 100 * float(np.mean(false)))


def _rim(mask: np.ndarray) -> np.ndarray:
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))


def line(name: str, photos: PhotoSet, store: Path) -> str:
    """Make masks of a set and return its line of the table."""
    paths = list_photos([photos.root / "images"])
    started, solving = time.process_time(), _seconds_of_workers()
    try:
        made = make_masks(paths, MaskOptions(photos.options, store=store)).made
    except UserError as error:
        return f"{name:<22} refused: {error}"
    seconds = (time.process_time() - started) / len(paths)
    solving = (_seconds_of_workers() - solving) / len(paths)
    found = score(made, photos.root, [path.name for path in paths])
    floor = "" if photos.floor is None else f"{photos.floor[0]:.3f} / {photos.floor[1]:.3f}"
    road = "" if made.choice.road is None else made.choice.road.value
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    worst = paths[int(found.iou.argmin())].name
    return (
        f"{name:<22} {road:<6} {found.iou.mean():.4f} / {found.iou.min():.4f} ({worst})  {floor:<14} "
        f"{found.missing:5.2f} {found.false:5.2f}  {len(doubtful(made.figures)):3d}  {seconds:5.2f} "
        f"{solving:5.2f} {peak:6.0f}"
    )


def _seconds_of_workers() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    data, work, *chosen = sys.argv[1:]
    sets = photo_sets(Path(data), Path(work))
    columns = "missing false doubtful s/photo cameras MB"
    print(f"set                    road   IoU mean / worst     should be   {columns}")
    for name in chosen or sets:
        print(line(name, sets[name](), Path(work) / "store"), flush=True)


if __name__ == "__main__":
    main()
