"""One picture that shows a reconstruction at a glance: photos, masks, depth, and the cloud from four
sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from align.points import PointCloud
from align.show.cloud_picture import four_sides
from pairs.views.cameras import Cameras

_MOST_COLUMNS = 8
_TILE = 208  # longest side of a photo on the sheet, pixels
_GAP, _MARGIN = 8, 24
_LEAST_WIDTH = 880  # the four sides of the cloud need some room even where there are few photos
_TITLE_SIZE, _HEADING_SIZE, _NAME_SIZE = 22, 15, 11
_INK, _FAINT_INK = (32, 34, 38), (110, 114, 120)
_TINT = np.array([255, 122, 40])
_EMPTY = (238, 239, 241)


@dataclass(frozen=True, slots=True)
class SheetView:
    """What the sheet shows of one view; mask and depth may be of other sizes than the photo, as long as they
    show the same part.
    """

    name: str
    photo: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray | None = None  # (h, w) bool, True = object
    depth: np.ndarray | None = None  # (h, w); not finite or <= 0 where nothing is known
    mesh: np.ndarray | None = None  # (h, w, 3) uint8, what the same camera sees of the object's mesh


def contact_sheet(
    views: Sequence[SheetView],
    cloud: PointCloud | None,
    cameras: Cameras | None = None,
    title: str = "",
    above: np.ndarray | None = None,
) -> np.ndarray:
    """Return the sheet (H, W, 3) uint8: up to eight views, evenly chosen, above the cloud from four sides;
    below it the cameras from `above` (h, w, 3), as `align.show.ring_picture` draws them.

    A row whose things are missing in all views is left out; a single missing one is an empty field. All
    depths share one scale of colours.
    """
    chosen = evenly_chosen(views, _MOST_COLUMNS)
    tile_h = max((_fitted(view.photo.shape[:2])[0] for view in chosen), default=0)
    width = max(len(chosen) * (_TILE + _GAP) - _GAP, _LEAST_WIDTH)
    blocks = [_text(title, width, _TITLE_SIZE, _INK)] if title else []
    shown = f"Photos: {len(chosen)} of {len(views)}" if len(chosen) < len(views) else "Photos"
    blocks += [_text(shown, width, _HEADING_SIZE, _INK), _row([view.photo for view in chosen], tile_h, width)]
    blocks.append(_names([view.name for view in chosen], width))
    if any(view.mask is not None for view in chosen):
        pictures = [None if view.mask is None else masked_photo(view.photo, view.mask) for view in chosen]
        blocks += [_text("Masks", width, _HEADING_SIZE, _INK), _row(pictures, tile_h, width)]
    if any(view.mesh is not None for view in chosen):
        blocks += [
            _text("Mesh, from the same cameras", width, _HEADING_SIZE, _INK),
            _row([view.mesh for view in chosen], tile_h, width),
        ]
    near, far = _depth_span(chosen)
    if far > 0:
        pictures = [
            None if view.depth is None else depth_picture(_shown_depth(view), near, far) for view in chosen
        ]
        blocks += [
            _text(f"Depth, {near:.3g} (bright) to {far:.3g}", width, _HEADING_SIZE, _INK),
            _row(pictures, tile_h, width),
        ]
    if cloud is not None and len(cloud.points):
        side_w = (width - 3 * _GAP) // 4
        sides = np.hstack(
            [
                _padded(side, side_w + _GAP)
                for side in four_sides(cloud, (side_w, round(0.85 * side_w)), cameras)
            ]
        )[:, :width]
        blocks += [
            _text(
                f"Reconstruction from four sides: {len(cloud.points):,} points", width, _HEADING_SIZE, _INK
            ),
            _padded(sides, width),
        ]
    if above is not None:
        blocks += [_text("Cameras from above", width, _HEADING_SIZE, _INK), _padded(above[:, :width], width)]
    return np.pad(np.vstack(blocks), ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), constant_values=255)


def mask_sheet(views: Sequence[SheetView], title: str) -> np.ndarray:
    """Return all views with the outlines of their masks, eight in a row: (H, W, 3) uint8."""
    tile_h = max(_fitted(view.photo.shape[:2])[0] for view in views)
    columns = min(len(views), _MOST_COLUMNS)
    width = max(columns * (_TILE + _GAP) - _GAP, _LEAST_WIDTH)
    blocks = [_text(title, width, _TITLE_SIZE, _INK)]
    for first in range(0, len(views), columns):
        row = views[first : first + columns]
        pictures = [v.photo if v.mask is None else masked_photo(v.photo, v.mask) for v in row]
        blocks += [_row(pictures, tile_h, width), _names([view.name for view in row], width)]
    return np.pad(np.vstack(blocks), ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), constant_values=255)


def evenly_chosen(views: Sequence[SheetView], most: int) -> tuple[SheetView, ...]:
    """Return at most so many views, in even steps from the first."""
    if len(views) <= most:
        return tuple(views)
    return tuple(views[k * len(views) // most] for k in range(most))


def masked_photo(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the photo (H, W, 3) uint8 with its background greyed and the mask's outline drawn."""
    h, w = photo.shape[:2]
    inside = cv2.resize(mask.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    picture = np.where(inside[..., None] > 0, photo, (0.35 * grey + 0.65 * 232).astype(np.uint8))
    # As wide as a line of two pixels on the sheet.
    thickness = max(1, round(2 * max(h, w) / _TILE))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thickness + 1, thickness + 1))
    outline = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, kernel) > 0
    picture[outline] = _TINT
    return picture


def depth_picture(depth: np.ndarray, near: float, far: float) -> np.ndarray:
    """Return the colours (H, W, 3) uint8 of a depth map (H, W): bright is near, light grey is nothing."""
    known = np.isfinite(depth) & (depth > 0)
    share = np.clip((far - np.where(known, depth, far)) / max(far - near, 1e-12), 0, 1)
    levels = np.rint(30 + 225 * share).astype(np.uint8)
    picture = np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1])
    picture[~known] = _EMPTY
    return picture


def _shown_depth(view: SheetView) -> np.ndarray:
    """Return the view's depth inside its mask, infinite elsewhere."""
    depth = np.asarray(view.depth, np.float64)
    if view.mask is None:
        return depth
    mask = cv2.resize(view.mask.astype(np.uint8), depth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(mask > 0, depth, np.inf)


def _depth_span(views: Sequence[SheetView]) -> tuple[float, float]:
    """Return near and far depth of all but outliers, over all views; (0, 0) when nothing is known."""
    maps = [_shown_depth(view) for view in views if view.depth is not None]
    known = [depth[np.isfinite(depth) & (depth > 0)] for depth in maps]
    if not sum(map(len, known)):
        return 0.0, 0.0
    near, far = np.quantile(np.concatenate(known), (0.01, 0.99))
    return float(near), float(far)


def _row(pictures: Sequence[np.ndarray | None], tile_h: int, width: int) -> np.ndarray:
    """Return pictures side by side, each shrunk to its field and centred in it; a missing one is an empty
    field.
    """
    row = np.full((tile_h, width, 3), 255, np.uint8)
    for k, picture in enumerate(pictures):
        left = k * (_TILE + _GAP)
        if picture is None:
            row[:, left : left + _TILE] = _EMPTY
            continue
        h, w = _fitted(picture.shape[:2], tile_h)
        top, left = (tile_h - h) // 2, left + (_TILE - w) // 2
        row[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    return row


def _fitted(shape: tuple[int, ...], tile_h: int = _TILE) -> tuple[int, int]:
    """Return height and width of a picture on the sheet: it fills its field but is enlarged at most twice."""
    h, w = shape
    scale = min(2.0, _TILE / w, tile_h / h)
    return max(1, round(scale * h)), max(1, round(scale * w))


def _names(names: Sequence[str], width: int) -> np.ndarray:
    line = np.full((_NAME_SIZE + 8, width, 3), 255, np.uint8)
    for k, name in enumerate(names):
        short = name if len(name) <= 30 else f"{name[:13]}…{name[-14:]}"
        left = k * (_TILE + _GAP)
        line[:, left : left + _TILE] = _text(short, _TILE, _NAME_SIZE, _FAINT_INK, space=(2, 6))
    return line


def _text(
    words: str, width: int, size: int, ink: tuple[int, int, int], space: tuple[int, int] | None = None
) -> np.ndarray:
    """Return a line of text (h, width, 3) on white, with free pixels above and below."""
    above, below = space or (size // 2 + 4, size // 2)
    line = Image.new("RGB", (width, above + size + below), (255, 255, 255))
    ImageDraw.Draw(line).text((0, above + size), words, ink, font=ImageFont.load_default(size), anchor="ls")
    return np.asarray(line)


def _padded(picture: np.ndarray, width: int) -> np.ndarray:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255)
