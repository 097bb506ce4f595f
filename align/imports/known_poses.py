"""Known poses of photos, from whatever file states them (docs/known_poses.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from align.imports.any_file import read_cameras_of
from align.imports.llff import read_llff
from align.imports.sidecars import BenchPoses, has_sidecars, read_sidecars
from masks.errors import FormatError, StatedCamerasError
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.backends.classical.backend import make_classical
from pairs.prediction.store import PredictionStore
from pairs.views.imported_camera import ImportedCameras
from pairs.views.view import View

SIDECARS = "sidecars"
"""The name that stands for files beside the photos."""
_CLEARLY = 1.5
_IN_FILE = {
    "transforms.json": {
        "cam_from_world with OpenGL axes (y up, z backward)": (
            "its matrices are camera-to-world in OpenCV axes: multiply columns y and z of each by -1"
        ),
        "world_from_cam": (
            "its matrices are world-to-camera in OpenCV axes: write the inverse of each, then multiply its "
            "columns y and z by -1"
        ),
        "world_from_cam with OpenGL axes (y up, z backward)": (
            "its matrices are world-to-camera in OpenGL axes: write the inverse of each"
        ),
    },
    "COLMAP model": {
        "world_from_cam": "its poses are camera-to-world: write the inverse of each (qvec and tvec)"
    },
    "cameras.json": {"world_from_cam": "its poses are camera-to-world: write R.T and -R.T @ t"},
}
"""What a file holds instead of what its kind should, by the reading that explains the photos."""


def read_known_poses(path: Path | str, photos: Sequence[Path]) -> ImportedCameras | tuple[BenchPoses, ...]:
    """Return the cameras that a file states for photos; of a bench's sidecars the poses in every sense.

    Raises `FormatError` naming the file, the place in it and the remedy.
    """
    path = Path(path)
    if str(path) == SIDECARS or (
        path.is_dir() and path in {p.parent for p in photos} and has_sidecars(photos)
    ):
        return read_sidecars(photos)
    llff = path / "poses_bounds.npy" if path.is_dir() else path
    if llff.suffix == ".npy" and llff.is_file():
        return read_llff(llff, [photo.name for photo in photos])
    return read_cameras_of(path)


def with_bench_poses(
    views: Sequence[View], senses: Sequence[BenchPoses], store: PredictionStore, progress: Progress
) -> tuple[tuple[View, ...], tuple[Notice, ...]]:
    """Return the views with a bench's poses in the sense that the photos agree with best."""
    names = {view.name: k for k, view in enumerate(views)}
    by_view = [
        {names[name]: pose for name, pose in sense.cam_from_world.items() if name in names}
        for sense in senses
    ]
    if not by_view[0]:
        raise FormatError("sidecars: none is of a photo that is used. Give those of these photos.")
    distances = make_classical().pose_distances(views, by_view, store, progress)
    order = sorted(range(len(senses)), key=lambda k: distances[k])
    best, next_best = order[:2]
    text = (
        f"sidecars of {len(by_view[0])} of {len(views)} photos: {senses[best].words}, by the photos "
        f"({distances[best]:.2f} px; {senses[next_best].words}: {distances[next_best]:.2f} px)."
    )
    sure = distances[next_best] > _CLEARLY * distances[best]
    notice = (
        info("known poses", text)
        if sure
        else warning(
            "known poses", f"{text} That is no clear difference: look which way the scene goes round."
        )
    )
    posed = [replace(view, cam_from_world=by_view[best].get(k)) for k, view in enumerate(views)]
    return tuple(posed), (notice,)


@contextmanager
def explained_by(known: ImportedCameras | Sequence[BenchPoses] | None) -> Iterator[None]:
    """Say of an error about stated poses what it means in the file that states them."""
    try:
        yield
    except StatedCamerasError as error:
        if known is None:
            raise
        if not isinstance(known, ImportedCameras):
            raise StatedCamerasError(f"sidecars: {error}", error.read_as) from error
        cure = _IN_FILE.get(known.kind, {}).get(error.read_as)
        said = f" In {Path(known.source).name}: {cure}." if cure else ""
        raise StatedCamerasError(f"{known.source}: {error}{said}", error.read_as) from error
