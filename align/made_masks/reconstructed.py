"""Reconstruction of photos whose masks are made on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from align.made_masks.make_masks import MadeWithCameras, made_by_itself, make_masks
from align.made_masks.mask_folder import document, require_same_masks, write_mask_folder
from align.made_masks.mask_work import MaskOptions
from align.scene import Report, Scene
from masks.files import find_masks_beside
from masks.given.painted import is_painted
from masks.image_file import probe_images
from masks.making.check import doubtful, too_doubtful
from masks.mask import Mask
from masks.notice import Notice, info, warning
from masks.progress import Progress
from pairs.backends.classical.backend import Classical, make_classical
from pairs.backends.protocol import Backend
from pairs.views.load import LoadOptions, load_views

_FIGURE = "made masks"


@dataclass(frozen=True, slots=True)
class MaskedPhotos:
    """What a reconstruction begins with once masks are made, or were found to be of no use."""

    masks: Path | str | Sequence[Mask]
    """As `align.reconstruct` takes them, but for "make"."""
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
            figures[_FIGURE] = self.figures
        return replace(scene, report=Report((*self.notices, *scene.report.notices), figures))


def has_made_masks(scene: Scene) -> bool:
    """Tell whether a scene was reconstructed with masks that were made for it."""
    return _FIGURE in scene.report.figures


def with_made_masks(
    photos: Sequence[Path],
    how: Literal["make", "auto"],
    load: LoadOptions,
    backend: Backend,
    store: Path,
    folder: Path | None,
    progress: Progress,
) -> MaskedPhotos:
    """Make masks of the photos, write them to a folder if there is one, and return what to reconstruct with.

    "auto" makes none where there are some, and only before a backdrop that stands still. Where more than a
    third of the made masks are doubtful, none is used. The embedded backend keeps the cameras that agree with
    the masks; a network looks at the photos itself. Raises `MaskError` where masks are asked for and no road
    is sure, and `OutputError` where other masks lie in the folder.
    """
    classical = backend if isinstance(backend, Classical) else make_classical()
    options = MaskOptions(load=load, backend=classical, store=store)
    make = make_masks if how == "make" else _made_where_none_are
    found = make(photos, options, progress)
    if found is None:
        return MaskedPhotos("auto", backend)
    made = found.made
    if too_doubtful(made.figures):
        text = (
            f"{len(doubtful(made.figures))} of {len(made.masks)} made masks are doubtful, so none is used: "
            "everything in the photos counts. Give masks of the object (`masks`)."
        )
        return MaskedPhotos("none", backend, (*made.notices, warning("masks", text)))
    if folder is not None:
        require_same_masks(folder, photos, made)
        write_mask_folder(folder, made)
    notices = (_told(how, folder), *made.notices)
    return MaskedPhotos(made.masks, _with_cameras(backend, found), notices, document(made))


def _made_where_none_are(
    photos: Sequence[Path], options: MaskOptions, progress: Progress
) -> MadeWithCameras | None:
    """Make masks by themselves; none where there are some beside the photos, in their alpha channels, or
    painted into them.
    """
    if any(find_masks_beside(photos)):
        return None
    facts = probe_images(photos)
    # All photos are read only where one promises something.
    if any(fact.has_alpha for fact in facts) or is_painted(photos[0]):
        views, _ = load_views(photos, "auto", options.load)
        if any(view.mask is not None for view in views):
            return None
    return made_by_itself(facts, options, progress)


def _with_cameras(backend: Backend, found: MadeWithCameras) -> Backend:
    """Return the backend with the cameras that agree with the masks."""
    if not isinstance(backend, Classical) or backend.solve.turntable_stated:
        return backend
    return replace(backend, unmasked=found.cameras)


def _told(how: str, folder: Path | None) -> Notice:
    where = "" if folder is None else f" They lie in {folder.name}/; look at {folder.name}/check."
    if how == "make":
        return info("masks", f"made masks are used.{where}")
    text = (
        "no masks were given, and the backdrop stands still: masks were made and used (`masks=none` for "
        f"none).{where}"
    )
    return warning("masks", text)
