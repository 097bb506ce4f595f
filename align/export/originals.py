"""The photos that a scene was made of, and their masks: a scene holds small pictures only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from align.scene import Scene, SceneView
from masks.errors import ImageError
from masks.files import list_photos
from masks.image_file import probe_image
from masks.mask import Mask
from masks.notice import Notice, first_few
from pairs.views.load import LoadOptions, load_views


@dataclass(frozen=True, slots=True)
class Originals:
    """What is known of a scene's photos beside the scene."""

    photos: Mapping[str, Path] = field(default_factory=dict)
    """Files by the names of all views; empty where nobody said."""
    masks: Mapping[str, Mask] | None = None
    """Masks of the upright photos by the names of all views; none: those of the scene's grids serve; empty:
    the photos are to have none."""


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """Photos that were read together, as `align.reconstruct` takes them."""

    photos: tuple[Path, ...]
    """Folders or files."""
    masks: Path | str = "auto"
    """A folder; "auto": beside the photos or in their alpha channels; "none"."""
    load: LoadOptions = field(default_factory=LoadOptions)


def originals_of(scene: Scene, sources: Sequence[PhotoSource]) -> tuple[Originals, tuple[Notice, ...]]:
    """Return the photos of the scene's views among the sources, and their masks.

    Raises `ImageError` where a view has no photo there, or one of another size than it was made of.
    """
    if not sources:
        return Originals(), ()
    photos: dict[str, Path] = {}
    masks: dict[str, Mask | None] = {}
    notices: list[Notice] = []
    names = {view.name for view in scene.views}
    for source in sources:
        given = list_photos(source.photos)
        own = [path for path in given if path.name in names and path.name not in photos]
        if not own:
            continue
        # All are read, also those that were not placed: which side of a mask is the object is decided over
        # all masks together, and should be as it was for the scene.
        views, told = load_views(given, source.masks, source.load, fewest=1)
        photos |= {path.name: path.absolute() for path in own}
        masks |= {view.name: view.mask for view in views if view.name in names}
        notices += told
    missing = [view.name for view in scene.views if view.name not in photos]
    if missing:
        folder = sources[0].photos[0]
        raise ImageError(
            f"{folder}: does not hold {first_few(missing)}, of which the scene was made. Give the folder of "
            "all its photos with `photos`."
        )
    for view in scene.views:
        _require_same_photo(view, photos[view.name])
    if all(source.masks == "none" for source in sources):
        return Originals(photos, {}), tuple(notices)
    found = {name: mask for name, mask in masks.items() if mask is not None}
    return Originals(photos, found if len(found) == len(scene.views) else None), tuple(notices)


def _require_same_photo(view: SceneView, path: Path) -> None:
    fact = probe_image(path)
    if (fact.size, fact.orientation) != (view.pixel_map.source_size, view.pixel_map.orientation):
        w, h = view.pixel_map.source_size
        raise ImageError(
            f"{path}: is {fact.size[0]}x{fact.size[1]} pixels, and the photo that the scene was made of had "
            f"{w}x{h}. Give the original photos with `photos`."
        )
