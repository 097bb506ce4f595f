"""Print one table: what the meshes of scenes reach, each figure beside what it should reach.

    python benchmarks/meshes.py NAME=SCENE [NAME=SCENE ...]

SCENE is a folder that `pointloom reconstruct` made, whose photos still lie where they lay. The names demo,
oxford_dino and templeSparseRing have floors; others are measured only. The demo's true cameras are looked for
as cameras.json beside its scene (`pointloom demo` puts them there): its surface is known.

Every scene is measured in a process of its own. Held-out photos are left out of the texture, not of the
surface. Distances are thousandths of a unit, the pot being two units high; its base, which no camera sees, is
measured apart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from memory import forget_peak, in_a_fresh_process, memory_mb
from scipy.optimize import least_squares
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from align.demo.shape import coffee_pot, normals, surface_points
from align.evaluation.camera_errors import true_from_scene
from align.export.cameras_json import read_cameras
from align.export.originals import originals_of
from align.export.photo_sources import read_sources
from align.meshes.figures import picture_errors, picture_figures, silhouette_fits
from align.meshes.files import glb_of, stl_of
from align.meshes.mesh import ObjectMesh, TexturedMesh
from align.meshes.mesh_errors import sampled_evenly
from align.meshes.object_mesh import is_watertight
from align.meshes.object_surface import ObjectSurface, object_surface
from align.meshes.simplification import simplified
from align.meshes.surface import genus
from align.meshes.texture.bake import baked, seen_share
from align.meshes.texture.shots import shots_of
from align.meshes.texture.unwrap import unwrapped
from align.scene import Scene
from align.scene_folder import load_scene

FACES, TEXTURE, HELD_OUT = 40_000, 1024, 5
LEAST: dict[str, dict[str, float]] = {
    "demo": {"IoU of the field": 0.995, "truth within 20": 0.98},
    "oxford_dino": {
        "IoU of the field": 0.987,
        "IoU": 0.983,
        "held-out PSNR": 20.4,
        "held-out SSIM": 0.70,
    },
    "templeSparseRing": {"IoU": 0.985, "held-out PSNR": 16.8},
}
MOST: dict[str, dict[str, float]] = {
    "demo": {
        "off, median, of the field": 0.9,
        "off, 95 %, of the field": 4.0,
        "off, median": 1.1,
        "off, 95 %": 4.2,
        "base off, 95 %": 27,
        "normals, median, of the field": 3.3,
        "normals, 95 %, of the field": 13,
        "normals, 95 %": 13,
        "genus": 1,
        "CPU s": 50,
    },
    "oxford_dino": {"genus": 2, "CPU s": 50},
    "templeSparseRing": {"CPU s": 50},
}
EVERYWHERE = {"faces off, %": 5.0, "peak, MB": 2000}
"""Most, of every scene."""
STEP = 1e-4
"""Of the differences that give the slope of the pot's function."""
BASE_Z, BASE_RIM_Z = -0.985, -0.96
"""Height of the pot's base, and above its rounded edge."""


def measured(folder: Path, name: str) -> dict[str, float]:
    """Return the figures of a scene, by name."""
    scene = load_scene(folder)
    shots = shots_of(scene, originals_of(scene, read_sources(folder))[0])
    forget_peak()
    began = time.process_time()
    found = object_surface(scene)
    mesh, _ = simplified(found.mesh, FACES, found.voxel)
    shaped = time.process_time()
    atlas = unwrapped(mesh, TEXTURE)
    textured = baked(mesh, atlas, TEXTURE, shots)
    ended = time.process_time()
    figures = {
        "CPU s": ended - began,
        "CPU s of the shape": shaped - began,
        "peak, MB": memory_mb("VmHWM"),
        "faces of the field": len(found.mesh.faces),
        "faces off, %": 100 * abs(len(mesh.faces) / FACES - 1),
        "genus": genus(mesh, 1),
        "watertight": float(is_watertight(mesh)),
        "charts": atlas.charts,
        "seen share": seen_share(textured),
        "GLB, MB": len(glb_of(textured)) / 1e6,
        "STL, MB": len(stl_of(mesh)) / 1e6,
        "IoU of the field": median_overlap(found.mesh, scene),
        "IoU": median_overlap(mesh, scene),
    }
    held = [k * len(shots) // HELD_OUT for k in range(HELD_OUT)]
    rest = [shot for k, shot in enumerate(shots) if k not in held]
    for kind, own in (("", textured), ("held-out ", baked(mesh, atlas, TEXTURE, rest))):
        pictures = picture_figures(picture_errors(own, [shots[k] for k in held]))
        figures |= {kind + figure: pictures[figure] for figure in ("PSNR", "PSNR of detail", "SSIM")}
    if name == "demo":
        figures |= pot_errors(found, textured, scene, folder.parent / "cameras.json")
    return figures


def median_overlap(mesh: ObjectMesh, scene: Scene) -> float:
    """Return the median over the views of their silhouettes' intersection over union."""
    return float(np.median([fit.overlap for fit in silhouette_fits(mesh, scene).values()]))


def pot_errors(
    found: ObjectSurface, textured: TexturedMesh, scene: Scene, cameras: Path
) -> Iterator[tuple[str, float]]:
    """Yield how far the demo's surface is from the pot, before and after simplification, by name."""
    pot = coffee_pot()
    start = true_from_scene(scene, read_cameras(cameras))
    full, few = (
        ObjectMesh(mesh.vertices @ start[:3, :3].T + start[:3, 3], mesh.faces)
        for mesh in (found.mesh, textured.mesh)
    )
    points, _ = sampled_evenly(full, 30_000)
    points = points[points[:, 2] > BASE_RIM_Z]
    # Cameras that are a little off move the whole surface, which says nothing about its shape.
    fit = least_squares(
        lambda x: pot.distance(_moved(x, points)), np.zeros(7), loss="soft_l1", f_scale=0.002
    ).x
    truth = surface_points(pot, 0.012)
    for suffix, mesh in ((", of the field", full), ("", few)):
        mesh = ObjectMesh(_moved(fit, mesh.vertices), mesh.faces)
        points, own = sampled_evenly(mesh, 100_000)
        true = normals(pot, points)
        base = points[:, 2] < BASE_RIM_Z
        # The pot's function bounds the distance; over its slope it is the distance, near the surface.
        slope = (pot.distance(points + STEP * true) - pot.distance(points - STEP * true)) / (2 * STEP)
        off = 1000 * np.abs(pot.distance(points) / np.maximum(slope, 0.3))[~base]
        turned = np.degrees(np.arccos(np.clip((own * true).sum(1), -1, 1)))[~base]
        yield f"off, median{suffix}", float(np.median(off))
        yield f"off, 95 %{suffix}", float(np.quantile(off, 0.95))
        yield f"normals, median{suffix}", float(np.median(turned))
        yield f"normals, 95 %{suffix}", float(np.quantile(turned, 0.95))
        missing = 1000 * KDTree(sampled_evenly(mesh, 1_000_000)[0]).query(truth)[0]
        yield f"base off, 95 %{suffix}", float(np.quantile(missing[truth[:, 2] < BASE_Z], 0.95))
        yield f"truth within 20{suffix}", float((missing < 20).mean())


def _moved(similarity: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (n, 3) turned by a rotation vector, shifted and scaled: numbers 0-2, 3-5, and the
    logarithm 6.
    """
    return np.exp(similarity[6]) * Rotation.from_rotvec(similarity[:3]).apply(points) + similarity[3:6]


def as_rows(name: str, figures: Mapping[str, float]) -> Iterator[str]:
    """Yield the rows of a table."""
    least, most = LEAST.get(name, {}) | {"watertight": 1.0}, MOST.get(name, {}) | EVERYWHERE
    for figure, value in figures.items():
        wanted, verdict = "", ""
        if figure in least:
            wanted, verdict = f">= {least[figure]:g}", "yes" if value >= least[figure] else "NO"
        if figure in most:
            wanted, verdict = f"<= {most[figure]:g}", "yes" if value <= most[figure] else "NO"
        yield f"| {name} | {figure} | {value:.4g} | {wanted} | {verdict} |"


def main() -> None:
    """Print the table."""
    if len(sys.argv) < 2 or not all("=" in given for given in sys.argv[1:]):
        sys.exit(__doc__)
    print("| scene | figure | value | floor | reached |\n| --- | --- | --- | --- | --- |")
    for given in sys.argv[1:]:
        name, folder = given.split("=", 1)
        print("\n".join(as_rows(name, in_a_fresh_process(measured, Path(folder), name))), flush=True)


if __name__ == "__main__":
    main()
