"""Reconstruction of photos whose masks are made on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from align.made_masks.make_masks import MadeWithCameras, MaskOptions, made_by_itself, make_masks
from align.made_masks.mask_folder import document, require_same_masks, write_mask_folder
from align.scene import Report, Scene
from masks.files import find_masks_beside, list_photos
from masks.given.painted import is_painted
from masks.image_file import probe_image
from masks.load import Polarity
from masks.making.check import doubtful, too_doubtful
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.backends.classical.backend import Classical, make_classical
from pairs.backends.protocol import Backend
from pairs.views.load import LoadOptions, load_views


@dataclass(frozen=True, slots=True)
class MaskedPhotos:
    """What a reconstruction begins with once masks are made, or were found to be of no use."""

    masks: Path | str
    """A folder, "auto" or "none"; see `align.reconstruct`."""
    load: LoadOptions
    backend: Backend
    notices: tuple[Notice, ...] = ()
    figures: dict[str, object] | None = None
    """What the report holds of the made masks."""

    def reported(self, scene: Scene) -> Scene:
        """Return the scene with what is to be said of its masks in its report."""
        if not self.notices:
            return scene
        figures = dict(scene.report.figures)
        if self.figures is not None:
            figures["made masks"] = self.figures
        return replace(scene, report=Report((*self.notices, *scene.report.notices), figures))


def with_made_masks(
    photos: Sequence[Path],
    how: Literal["make", "auto"],
    folder: Path,
    load: LoadOptions,
    backend: Backend,
    store: Path | None,
    progress: Progress,
) -> MaskedPhotos:
    """Make masks of the photos, write them to a folder, and return what to reconstruct with.

    "auto" makes none where there are some, and only before a backdrop that stands still. Where more than a
    third of the made masks are doubtful, none is used. The embedded backend keeps the cameras that agree with
    the masks; a network looks at the photos itself. Raises `MaskError` where masks are asked for and no road
    is sure, and `OutputError` where other masks lie in the folder.
    """
    untouched = MaskedPhotos(how if how == "auto" else "none", load, backend)
    paths = list_photos(photos)
    classical = backend if isinstance(backend, Classical) else make_classical()
    options = MaskOptions(load=load, backend=classical, store=store)
    if how == "make":
        found = make_masks(paths, options, progress)
    elif _have_masks(paths, load):
        return untouched
    else:
        found = made_by_itself(paths, options, progress)
        if found is None:
            return untouched
    made = found.made
    if too_doubtful(made.figures):
        text = (
            f"{len(doubtful(made.figures))} of {len(made.masks)} made masks are doubtful, so none is used: "
            "everything in the photos counts. Give masks of the object (`masks`)."
        )
        return replace(untouched, masks="none", notices=(*made.notices, warning("masks", text)))
    require_same_masks(folder, made)
    write_mask_folder(folder, made)
    return MaskedPhotos(
        folder,
        replace(load, polarity=Polarity.WHITE),
        _with_cameras(backend, found),
        (_told(how, folder), *made.notices),
        document(made),
    )


def _have_masks(paths: Sequence[Path], load: LoadOptions) -> bool:
    """Tell whether there are masks beside the photos, in their alpha channels, or painted into them."""
    if any(find_masks_beside(paths)):
        return True
    # All photos are read only where the first one promises something.
    if not any(probe_image(path).has_alpha for path in paths) and not is_painted(paths[0]):
        return False
    views, _ = load_views(paths, "auto", load)
    return any(view.mask is not None for view in views)


def _with_cameras(backend: Backend, found: MadeWithCameras) -> Backend:
    """Return the backend with the cameras that agree with the masks."""
    if not isinstance(backend, Classical) or backend.solve.turntable_stated:
        return backend
    return replace(backend, unmasked=found.cameras)


def _told(how: str, folder: Path) -> Notice:
    if how == "make":
        return info("masks", f"made masks are used. They lie in {folder.name}/; look at {folder.name}/check.")
    text = (
        "no masks were given, and the backdrop stands still: masks were made and used (`masks=none` for "
        f"none). They lie in {folder.name}/; look at {folder.name}/check."
    )
    return warning("masks", text)
