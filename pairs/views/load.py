"""From files to views: photos, their EXIF facts, their masks, and the grid."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from masks.checks import check_masks, erode
from masks.errors import ImageError, MaskError
from masks.files import Candidates, find_masks, find_masks_beside, given_photos
from masks.given.candidates import chosen
from masks.given.look import PhotoShape
from masks.given.paint import Paint
from masks.given.painted import paint_of_set, painted_mask, painted_notice, partly_painted
from masks.image_file import ImageFacts, Picture, open_image, probe_images
from masks.lens import Undistortion, remap_to_ideal
from masks.load import Polarity, load_masks, mask_from_alpha
from masks.mask import Mask
from masks.notice import Notice, first_few, info, warning
from masks.pixelmap import image_to_target
from pairs.views.calibration import calibrated, camera_ids_of, frame_of, lens_notices
from pairs.views.camera_ids import camera_ids
from pairs.views.digest import digest
from pairs.views.exif_camera import camera_id, exif_focal, size_before_crop
from pairs.views.grid import GridOptions, grid_map, with_decided_crop
from pairs.views.imported_camera import ImportedCamera, ImportedCameras
from pairs.views.known_poses import posed_cameras
from pairs.views.photos import load_photo
from pairs.views.suspicions import suspicions
from pairs.views.view import View, grid_parts


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How photos and masks are read."""

    polarity: Polarity = Polarity.AUTO
    """Which side of the mask files is the object."""
    erode_px: int = 0
    """Photo pixels taken off the rim of every mask."""
    grid: GridOptions = field(default_factory=GridOptions)
    calibration: ImportedCameras | None = None
    """Intrinsics and lens of every photo, where they are known: they stay as stated, and everything behind
    sees the photos without their distortion. What `align.imports.read_cameras_of` reads."""
    known_poses: ImportedCameras | None = None
    """Poses of photos, of all or some; their intrinsics hold where no calibration is given."""
    cameras: Path | str = "exif"
    """Which photos share a camera, and so a focal; photos of different sizes never do. "exif": those of one
    body, lens and zoom by EXIF, else of one folder; "one": all; "folder": those of one folder; "each": none;
    a text file with lines `name group`, one a photo."""


def load_views(
    photos: Sequence[Path | str] | Path | str,
    masks: Path | str | Sequence[Mask] = "auto",
    options: LoadOptions | None = None,
    fewest: int = 2,
) -> tuple[tuple[View, ...], tuple[Notice, ...]]:
    """Read photos (a folder, or files) and their masks; at least `fewest`: a scene needs two.

    `masks` is a folder of masks; "auto": those beside the photos or in their alpha channels, if there are
    any; "none": everything in the photos counts; or one `Mask` for each upright photo.
    Returns the usable views in natural order of file names, or in the order given, and notices about
    everything that was decided or left out. Raises `ImageError`, `MaskError` and `FormatError` naming the
    file at fault.
    """
    options = options or LoadOptions()
    used = [Path(masks)] if isinstance(masks, (str, Path)) and masks not in ("auto", "none") else []
    given = given_photos([Path(p) for p in ([photos] if isinstance(photos, (str, Path)) else photos)], used)
    paths = given.photos
    if len(paths) < fewest:
        raise ImageError(
            f"{paths[0]}: one photo is not enough. Give at least two photos of the object from different "
            "sides."
        )
    facts = probe_images(paths)
    cameras, poses, remarks = _stated_cameras(facts, options)
    ids = dict(zip((path.name for path in paths), camera_ids(facts, options.cameras)))
    ids |= dict(zip(cameras, camera_ids_of(tuple(cameras.values()))))
    if not isinstance(masks, (str, Path)):
        views, notices = _views_with_masks(facts, _fitting(masks, facts), options, cameras)
    else:
        found = None
        if masks != "none":
            found = _views_with_mask_files(facts, masks, options, cameras)
            found = found or _views_with_alpha(facts, options, cameras)
        views, notices = found or _views_without_masks(facts, masks, options, cameras)
    if len(views) < fewest:
        raise MaskError(
            f"{views[0].name}: only this view has a usable mask. Paint the object in at least two photos."
        )
    # Not part of the keys above: what was found on the photos serves whatever cameras they have.
    grouped = options.cameras != "exif"
    views = [
        replace(
            view,
            camera=ids[view.name],
            camera_stated=grouped or view.name in cameras,
            cam_from_world=poses.get(view.name),
        )
        for view in views
    ]
    # The principal point of a crop is known where it is stated.
    crops = _crop_notices([fact for fact in facts if fact.path.name not in cameras])
    said = (*notices, *_photo_notices(views), *suspicions(views))
    return tuple(views), (*given.notices, *remarks, *said, *crops)


# Photos are decoded one at a time: only their grids and the bits of their masks stay in memory.
_Found = tuple[list[View], tuple[Notice, ...]]
_Cameras = Mapping[str, ImportedCamera]
"""Those of the upright photos, by the photos' names; empty without a calibration."""


def _stated_cameras(
    facts: Sequence[ImageFacts], options: LoadOptions
) -> tuple[_Cameras, Mapping[str, np.ndarray], tuple[Notice, ...]]:
    """Return the intrinsics and the poses (4, 4) that are stated, each by the photos' names."""
    cameras: _Cameras = {}
    poses: dict[str, np.ndarray] = {}
    notices: tuple[Notice, ...] = ()
    if options.known_poses is not None:
        cameras, notices = posed_cameras(facts, options.known_poses)
        for name, camera in cameras.items():
            if camera.cam_from_world is not None:
                poses[name] = camera.cam_from_world
    if options.calibration is not None:
        stated, remarks = calibrated(facts, options.calibration)
        cameras = {fact.path.name: camera for fact, camera in zip(facts, stated)}
        if options.cameras != "exif":
            text = (
                f"`cameras={options.cameras}` is not used: the calibration says which photos share a camera."
            )
            notices = (*notices, info("calibration", text))
        notices = (*notices, *remarks)
    return cameras, poses, notices


def _views_with_mask_files(
    facts: Sequence[ImageFacts], masks_of: Path | str, options: LoadOptions, cameras: _Cameras
) -> _Found | None:
    """Return the views by masks of a folder, or beside the photos ("auto"); none where there are none.

    Some photos without a mask are an error: a half-masked set would mix object and background.
    """
    paths = [fact.path for fact in facts]
    notices: list[Notice] = []
    if masks_of != "auto":
        folder = Path(masks_of)
        files, unused = find_masks(paths, folder)
        if unused:
            notices.append(
                warning("masks", f"{first_few([p.name for p in unused])}: masks of no photo, not used.")
            )
    else:
        files = find_masks_beside(paths)
        if not any(files):
            return None
        folder = paths[0].parent
        notices.append(info("masks", "the masks beside the photos are used (`masks=none` to ignore them)."))
    _require_all(paths, files, folder)
    shapes = [PhotoShape(fact.path.name, fact.upright_size, fact.orientation, fact.path) for fact in facts]
    taken, said, looked = chosen(files, shapes)
    loaded, remarks = load_masks(taken, shapes, options.polarity, looked)
    del looked
    views, more = _views_with_masks(facts, loaded, options, cameras)
    return views, (*notices, *said, *remarks, *more)


def _views_with_masks(
    facts: Sequence[ImageFacts], masks: Sequence[Mask], options: LoadOptions, cameras: _Cameras
) -> _Found:
    """Return the views by masks of the upright photos, of all that are usable."""
    masks = [erode(mask, options.erode_px) for mask in masks]
    names = [fact.path.name for fact in facts]
    usable, remarks = check_masks(names, masks)
    grid, cut = with_decided_crop(options.grid, [mask for mask, use in zip(masks, usable) if use])
    lost = lens_notices(cameras, {name: mask for name, mask, use in zip(names, masks, usable) if use})
    views = [
        view_of(fact, open_image(fact.path, fact.white), mask, grid, cameras.get(fact.path.name))
        for fact, mask, use in zip(facts, masks, usable)
        if use
    ]
    return views, (*remarks, *lost, *cut)


def _fitting(masks: Sequence[Mask], facts: Sequence[ImageFacts]) -> Sequence[Mask]:
    """Return the masks, or raise `MaskError` where they are not those of the photos."""
    if len(masks) != len(facts):
        raise MaskError(f"{len(masks)} masks for {len(facts)} photos. Give one mask for each photo.")
    for mask, fact in zip(masks, facts):
        (height, width), (w, h) = mask.shape, fact.upright_size
        if (width, height) != (w, h):
            raise MaskError(
                f"{fact.path}: the mask is {width}x{height}, the upright photo {w}x{h}. Give it at the "
                "photo's size."
            )
    return masks


def _views_with_alpha(facts: Sequence[ImageFacts], options: LoadOptions, cameras: _Cameras) -> _Found | None:
    """Return the views by the photos' alpha channels; none where no channel tells anything apart."""
    views: list[View] = []
    masks: list[Mask] = []
    varying = False
    for fact in facts:
        picture = open_image(fact.path, fact.white) if fact.has_alpha else None
        if picture is None or picture.alpha is None:
            continue
        varying = varying or bool(np.ptp(picture.alpha) > 0)
        masks.append(erode(mask_from_alpha(picture.alpha, fact.orientation), options.erode_px))
        views.append(view_of(fact, picture, masks[-1], options.grid, cameras.get(fact.path.name)))
    if not varying:
        return None
    if len(views) < len(facts):
        bare = next(fact.path.name for fact in facts if not fact.has_alpha)
        raise MaskError(
            f"{bare}: has no alpha channel while other photos have one. Export all photos alike, or pass "
            "`masks=none`."
        )
    usable, remarks = check_masks([view.name for view in views], masks)
    lost = lens_notices(cameras, {view.name: mask for view, mask, use in zip(views, masks, usable) if use})
    used = info("masks", "the photos' alpha channels are used as masks (`masks=none` to ignore them).")
    views = [view for view, use in zip(views, usable) if use]
    grid, cut = with_decided_crop(options.grid, [view.mask for view in views if view.mask])
    if cut:
        # Known only now that all masks are: the photos are decoded once more.
        for k, view in enumerate(views):
            views[k] = _on_another_grid(view, grid)
    return views, (used, *remarks, *lost, *cut)


def _views_without_masks(
    facts: Sequence[ImageFacts], masks_of: Path | str, options: LoadOptions, cameras: _Cameras
) -> _Found:
    lost = lens_notices(cameras, {fact.path.name: None for fact in facts})
    views = [
        view_of(fact, open_image(fact.path, fact.white), None, options.grid, cameras.get(fact.path.name))
        for fact in facts
    ]
    paint = paint_of_set([view.image for view in views])
    if paint is not None and masks_of == "auto":
        return _views_by_paint(facts, paint, options, cameras)
    if paint is None:
        said = partly_painted([view.name for view in views], [view.image for view in views])
    else:
        said = (painted_notice(paint, used=False),)
    text = "no masks: everything in the photos counts. An object on a turntable needs them (`masks` DIR)."
    return views, (*said, *lost) if masks_of == "none" else (info("masks", text), *said, *lost)


def _views_by_paint(
    facts: Sequence[ImageFacts], paint: Paint, options: LoadOptions, cameras: _Cameras
) -> _Found:
    """Return the views with masks of what a painted background leaves of the photos."""
    # The photos are decoded once more: that they are painted is known only when all were seen.
    views, notices = _views_with_masks(facts, [painted_mask(fact) for fact in facts], options, cameras)
    return views, (painted_notice(paint, used=True), *notices)


def _require_all(paths: Sequence[Path], files: Candidates, folder: Path) -> None:
    missing = [path for path, candidates in zip(paths, files) if not candidates]
    if missing:
        others = f" (and {len(missing) - 1} more photos)" if len(missing) > 1 else ""
        raise MaskError(
            f"{missing[0]}: no mask in {folder}{others}; expected {missing[0].name}.png or "
            f"{missing[0].stem}.png. Add it or remove the photo."
        )


def view_of(
    fact: ImageFacts,
    picture: Picture,
    mask: Mask | None,
    grid: GridOptions,
    stated: ImportedCamera | None = None,
) -> View:
    """Return the view of one decoded photo with its mask, named after its file; of the ideal picture, where
    a camera with a lens is stated for the upright photo.
    """
    camera, focal = camera_id(fact), exif_focal(fact)
    # Only where it says something: keys of other photos stay.
    white = [] if fact.white is None else [fact.white]
    content = digest(picture.content, fact.orientation, mask.bits if mask else "whole", camera, focal, *white)
    K = None if stated is None else stated.K
    frame = None if stated is None else frame_of(stated)
    if frame is not None:
        K = frame.K_ideal
        content = _undistorted_key(content, frame)
        mask = None if mask is None else Mask(remap_to_ideal(frame, mask.pixels), mask.source)
    pixel_map = grid_map(str(fact.path), fact.size, fact.orientation, mask, grid, frame)
    return View(
        name=fact.path.name,
        # A caller may change the current folder while it works.
        path=fact.path.absolute(),
        image=image_to_target(pixel_map, picture.pixels),
        pixel_map=pixel_map,
        mask=mask,
        grid_key=digest(content, *grid_parts(pixel_map)),
        photo_key=content,
        file_digest=picture.content,
        camera=camera,
        K=K,
        grid=grid,
        focal_exif=focal,
        white=fact.white,
    )


def _on_another_grid(view: View, grid: GridOptions) -> View:
    """Return a view that was loaded on another grid of its photo."""
    old = view.pixel_map
    pixel_map = grid_map(str(view.path), old.source_size, old.orientation, view.mask, grid, old.undistortion)
    key = digest(view.photo_key, *grid_parts(pixel_map))
    image = image_to_target(pixel_map.ideal(), load_photo(view))
    return replace(view, image=image, pixel_map=pixel_map, grid_key=key, grid=grid)


def undistorted(view: View, frame: Undistortion) -> View:
    """Return the view on a grid of the ideal picture, chosen as its own was: its lens became known after it
    was
    loaded. Intrinsics that were stated are those of the ideal picture from now on.
    """
    if view.grid is None or view.pixel_map.undistortion is not None:
        raise ValueError(f"{view.name}: is no view of a photo as its file shows it")
    old = view.pixel_map
    mask = view.mask
    if mask is not None:
        mask = Mask(remap_to_ideal(frame, mask.pixels), mask.source)
    pixel_map = grid_map(str(view.path), old.source_size, old.orientation, mask, view.grid, frame)
    key = _undistorted_key(view.photo_key, frame)
    return replace(
        view,
        # All at once: the ideal picture's grid may have another shape.
        image=image_to_target(pixel_map.ideal(), remap_to_ideal(frame, load_photo(view))),
        pixel_map=pixel_map,
        mask=mask,
        photo_key=key,
        grid_key=digest(key, *grid_parts(pixel_map)),
        K=None if view.K is None else frame.K_ideal,
    )


def _undistorted_key(photo_key: str, frame: Undistortion) -> str:
    return digest(photo_key, json.dumps(asdict(frame)))


def _crop_notices(facts: Sequence[ImageFacts]) -> list[Notice]:
    whole = {fact.path.name: size for fact in facts if (size := size_before_crop(fact)) is not None}
    if not whole:
        return []
    w, h = next(iter(whole.values()))
    text = (
        f"{first_few(list(whole))}: cropped, as EXIF tells ({w}x{h} when it was taken), so the principal "
        "point need not lie in the middle. Give the photos as they were taken where there are any."
    )
    return [warning("photos", text)]


def _photo_notices(views: Sequence[View]) -> list[Notice]:
    notices = []
    sizes = sorted({view.photo_size for view in views})
    if len(sizes) > 1:
        listed = ", ".join(f"{w}x{h}" for w, h in sizes[:4])
        notices.append(
            info(
                "photos",
                (
                    f"{len(sizes)} sizes of photos ({listed}{', ...' if len(sizes) > 4 else ''}): each size "
                    "counts as a camera of its own."
                ),
            )
        )
    first_of: dict[str, str] = {}
    for view in views:
        twin = first_of.setdefault(view.grid_key, view.name)
        if twin != view.name:
            notices.append(
                warning(view.name, f"is the same photo as {twin}: it adds nothing. Remove one of them.")
            )
    return notices
