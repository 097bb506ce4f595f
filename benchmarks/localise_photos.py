"""Print two tables: held-out photos placed in a scene of the others, and photos of other objects refused.

    python benchmarks/localise_photos.py SETS --scenes FOLDER [--sets NAME,...] [--scene-photos]

SETS is a folder of photo sets; a set is a folder with images/, perhaps masks/, and cameras.json. Every fourth
photo is held out; the scene of the rest, and that of the whole set, are reconstructed once and kept in
FOLDER. Errors are rotations in degrees against the truth, after the best common rotation of each scene's own
views; "asked" are the held-out photos that the whole set's scene places. Deviations are the reported ones.
Seconds are CPU seconds a photo, those of the scene's features included.

Wrong objects: each scene is shown photos of the other sets, with and without their masks, and mirrored ones
of its own set.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from align.export.cameras_json import read_cameras
from align.localise.by_features.photos import localize
from align.rotations import angle_between, nearest_rotation
from align.scene import Scene
from align.scene_folder import load_scene
from masks.errors import ReconstructionError

STEP, OFFSET = 4, 3
SAME_OBJECT = ("oxford_dino", "oxford_dino_static")
POSTER = "oxford_dino_static"
"""Its backdrop is a picture of the fountain, which is rightly found there: it is shown with masks alone."""
WRONG_A_SET = 2


def images(root: Path) -> list[Path]:
    return sorted((root / "images").iterdir())


def held_out(root: Path) -> list[Path]:
    return images(root)[OFFSET::STEP]


def masks_of(root: Path) -> str:
    return str(root / "masks") if (root / "masks").is_dir() else "none"


def scene_of(root: Path, folder: Path, whole: bool) -> Scene:
    """Return the scene of a set, or of it without what is held out, from an earlier run if there was one."""
    out = folder / f"{root.name}-{'whole' if whole else 'held'}"
    if not (out / "scene.json").exists():
        chosen = [path for path in images(root) if whole or path not in held_out(root)]
        command = ["reconstruct", *map(str, chosen), "--masks", masks_of(root), "--out", str(out)]
        subprocess.run([sys.executable, "-m", "align.cli.main", *command], check=True)
    return load_scene(out)


def errors_by_name(scene: Scene, root: Path, own: set[str]) -> dict[str, float]:
    """Return each view's rotation error after the rotation that aligns the views named in `own` best."""
    truth = {
        Path(camera.file).name: camera.R_cam_from_world for camera in read_cameras(root / "cameras.json")
    }
    names = [view.name for view in scene.views]
    R, R_true = scene.cameras.cam_from_world[:, :3, :3], np.stack([truth[name] for name in names])
    chosen = [k for k, name in enumerate(names) if name in own]
    common = nearest_rotation(np.einsum("vji,vjk->ik", R[chosen], R_true[chosen]))
    return dict(zip(names, np.rad2deg(angle_between(R @ common, R_true))))


def row(root: Path, folder: Path, with_photos: bool) -> str:
    """Return a set's line of the first table."""
    scene, whole = scene_of(root, folder, False), scene_of(root, folder, True)
    reference = errors_by_name(whole, root, {view.name for view in whole.views})
    own = {view.name for view in scene.views}
    photos = held_out(root)
    began = time.process_time()
    grown = localize(scene, photos, masks_of(root), scene_photos=root / "images" if with_photos else ())
    seconds = (time.process_time() - began) / len(photos)
    found = errors_by_name(grown, root, own)
    placed = [path.name for path in photos if path.name in found]
    asked = [path.name for path in photos if path.name in reference]
    errors = np.array([found[name] for name in placed])
    figures = grown.report.figures["placements"][-1]["localised"]
    deviation = np.median([each["sigma rotation deg"] for each in figures])
    median = np.median(list(reference.values()))
    lost = ", ".join(name for name in asked if name not in placed)
    return (
        f"| {root.name} | {len(own)} | {len(asked)} | {len(set(asked) & set(placed))} | "
        f"{np.median(errors):.3f} / {errors.max():.3f} | {median:.3f} | {np.median(errors) / median:.2f} | "
        f"{deviation:.3f} | {seconds:.1f} | {lost or '-'} |"
    )


def wrong_row(root: Path, others: list[Path], folder: Path) -> tuple[str, int, int]:
    """Return a scene's line of the second table, how many photos it was shown, and how many it refused."""
    scene = scene_of(root, folder, False)
    cells, shown, refused = [], 0, 0
    for kind in ("masked", "unmasked", "mirrored"):
        with tempfile.TemporaryDirectory() as place:
            count = _prepared(Path(place), root, others, kind)
            left = count - _placed(scene, Path(place), kind)
        cells.append(f"{left} of {count}")
        shown, refused = shown + count, refused + left
    return f"| {root.name} | {' | '.join(cells)} |", shown, refused


def _prepared(place: Path, root: Path, others: list[Path], kind: str) -> int:
    """Write the photos of one kind, and masks where they count; return how many."""
    (place / "images").mkdir()
    (place / "masks").mkdir()
    chosen = [(root, path) for path in images(root)[:: len(images(root)) // 4]] if kind == "mirrored" else []
    for other in others if kind != "mirrored" else ():
        same = {root.name, other.name} <= set(SAME_OBJECT)
        bare = kind == "masked" and masks_of(other) == "none"
        if not (same or bare or (kind == "unmasked" and other.name == POSTER)):
            chosen += [(other, path) for path in images(other)[:: len(images(other)) // WRONG_A_SET]]
    for owner, path in chosen:
        name = f"{owner.name}_{path.stem}.png"
        turned = slice(None, None, -1) if kind == "mirrored" else slice(None)
        cv2.imwrite(str(place / "images" / name), cv2.imread(str(path))[:, turned])
        mask = owner / "masks" / f"{path.name}.png"
        if kind != "unmasked" and mask.exists():
            cv2.imwrite(str(place / "masks" / f"{name}.png"), cv2.imread(str(mask))[:, turned])
    return len(chosen)


def _placed(scene: Scene, place: Path, kind: str) -> int:
    masked = kind != "unmasked" and any((place / "masks").iterdir())
    try:
        grown = localize(scene, place / "images", place / "masks" if masked else "none")
    except ReconstructionError:
        return 0
    return len(grown.views) - len(scene.views)


def main() -> None:
    """Print the tables, a row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--scenes", type=Path, required=True, help="where scenes are kept")
    parser.add_argument("--sets", default="", help="names, divided by commas; default: all")
    parser.add_argument(
        "--scene-photos", action="store_true", help="features of the scene's photos, not of its images"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    roots = [path.parent for path in sorted(arguments.data.glob("*/cameras.json"))]
    chosen = [root for root in roots if not arguments.sets or root.name in arguments.sets.split(",")]
    print(
        "| set | views in the scene | asked | placed | rotation deg, median / max | whole set's median | "
        "ratio | reported deviation, median | CPU s a photo | not placed |\n|" + " --- |" * 10
    )
    for root in chosen:
        print(row(root, arguments.scenes, arguments.scene_photos), flush=True)
    print("\n| scene | masked, refused | unmasked, refused | mirrored, refused |\n|" + " --- |" * 4)
    shown = refused = 0
    for root in chosen:
        line, more, fewer = wrong_row(root, [other for other in roots if other != root], arguments.scenes)
        print(line, flush=True)
        shown, refused = shown + more, refused + fewer
    print(f"\n{refused} of {shown} wrong photos refused.")


if __name__ == "__main__":
    main()
