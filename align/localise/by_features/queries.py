"""The photos that are to be placed in a scene, and its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from align.scene import Scene
from masks.errors import ImageError
from masks.files import given_photos, list_photos
from masks.image_file import open_image
from masks.notice import Notice, first_few, left_out
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import View


@dataclass(frozen=True, slots=True)
class Queries:
    """The photos that can be looked at, and what became of the others."""

    inputs: tuple[str, ...]
    views: tuple[View, ...]
    notices: tuple[Notice, ...]
    unread: tuple[Notice, ...]


def read_queries(
    scene: Scene, photos: Sequence[Path | str] | Path | str, masks: Path | str, load: LoadOptions
) -> Queries:
    """Read the photos that can be placed; those that the scene has already, or that cannot be decoded, are
    left out with a notice.

    Raises `ImageError` for a path that does not exist, and what `load_views` raises.
    """
    used = [] if masks in ("auto", "none") else [Path(masks)]
    given = given_photos([Path(p) for p in ([photos] if isinstance(photos, (str, Path)) else photos)], used)
    held = {view.name for view in scene.views}
    usable, unread = [], []
    for path in given.photos:
        if path.name in held:
            text = "the scene has a view of this name, which stays. Rename the photo if it is another one."
            unread.append(left_out(path.name, text))
            continue
        try:
            open_image(path)
        except ImageError as error:
            unread.append(left_out(path.name, str(error)))
        else:
            usable.append(path)
    views, notices = load_views(usable, masks, load, fewest=1) if usable else ((), ())
    return Queries(given.names, views, (*given.notices, *notices), tuple(unread))


def photos_of_scene(scene: Scene, photos: Sequence[Path | str] | Path | str) -> dict[str, Path]:
    """Return the given photos of the scene's views by name. Raises `ImageError` when there are files, and
    none is of a view.
    """
    given = [Path(p) for p in ([photos] if isinstance(photos, (str, Path)) else photos)]
    if not given:
        return {}
    files = {path.name: path for path in list_photos(given)}
    own = {view.name: files[view.name] for view in scene.views if view.name in files}
    if not own:
        raise ImageError(
            f"{given[0]}: no photo of the scene is here, whose views are "
            f"{first_few([view.name for view in scene.views])}. Give the folder that it was made of with "
            "`scene_photos`, or omit it."
        )
    return own
