"""The room behind the demo's object: a book shelf, a patterned cloth, a plain turning plate.

Everything here but the plate is loud and stands still, as the rooms behind turntable photographs do: feature
matches of the room outnumber those of the object and all say that nothing moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WALL_Y = 2.6
"""Where the shelf stands, room frame (x right, y away from the camera, z up)."""
TABLE_Z = -1.07
PLATE_Z = -1.0
"""Top of the plate: the object's foot."""
PLATE_RADIUS = 0.80

_PLATE_COLOUR = np.array([0.16, 0.155, 0.15])
_TEXELS = 260  # texture pixels per scene unit
_WALL = (-3.4, -1.2, 6.8, 3.2)  # x, z of the lower left corner, width, height
_TABLE = (-3.4, -3.2, 6.8, 5.9)  # x, y, width, depth


@dataclass(frozen=True, slots=True)
class Room:
    """Pictures of the static surfaces, linear light; rows run downwards on the wall and towards the camera on
    the table.
    """

    wall: np.ndarray  # (Hw, Ww, 3) float32
    table: np.ndarray  # (Ht, Wt, 3) float32


def furnish(texels_seen: float, seed: int) -> Room:
    """Draw shelf and cloth; `texels_seen` is the camera's number of pixels per scene unit at the wall.

    The pictures are shrunk to about the camera's own resolution, so that sampling them a few times a pixel
    does not flicker.
    """
    rng = np.random.default_rng(seed)
    shrink = min(1.0, 1.5 * texels_seen / _TEXELS)
    pictures = (_shelf(rng), _cloth(rng))
    wall, table = (
        cv2.resize(
            ((p / 255.0) ** 2.2).astype(np.float32), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
        )
        for p in pictures
    )
    return Room(wall, table)


def meet(origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where rays first meet the room: points (N, 3), room frame, and what they meet (N,): 0 wall, 1
    table, 2 plate.

    Rays start at origin (3,) in front of the wall and above the table.
    """
    with np.errstate(divide="ignore"):
        to_wall = np.where(directions[:, 1] > 0, (WALL_Y - origin[1]) / directions[:, 1], np.inf)
        to_table = np.where(directions[:, 2] < 0, (TABLE_Z - origin[2]) / directions[:, 2], np.inf)
    distances = np.stack([to_wall, to_table, _to_plate(origin, directions)], axis=1)
    what = distances.argmin(axis=1)
    return origin + distances[np.arange(len(what)), what, None] * directions, what


def colour_at(room: Room, points: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Return the linear colour (N, 3) of points of the room's surfaces."""
    colour = np.tile(_PLATE_COLOUR, (len(points), 1))
    for number, picture, (left, low, width, depth), axis in (
        (0, room.wall, _WALL, 2),
        (1, room.table, _TABLE, 1),
    ):
        here = what == number
        h, w = picture.shape[:2]
        x = ((points[here, 0] - left) / width * w - 0.5).astype(np.float32)
        y = ((low + depth - points[here, axis]) / depth * h - 0.5).astype(np.float32)
        # OpenCV limits a side of the map to 2^15: rows of one pixel in pieces.
        pieces = [
            cv2.remap(
                picture,
                x[i : i + 30000, None],
                y[i : i + 30000, None],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )[:, 0]
            for i in range(0, len(x), 30000)
        ]
        if pieces:
            colour[here] = np.concatenate(pieces)
    return colour


def _to_plate(origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return distances to the plate, a flat cylinder on the table; infinite beside it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.where(directions[:, 2] < 0, (PLATE_Z - origin[2]) / directions[:, 2], np.inf)
        a = (directions[:, :2] ** 2).sum(axis=1)
        b = directions[:, :2] @ origin[:2]
        side = (-b - np.sqrt(b * b - a * (origin[:2] @ origin[:2] - PLATE_RADIUS**2))) / a
        at_top, z_side = origin[:2] + top[:, None] * directions[:, :2], origin[2] + side * directions[:, 2]
        on_top = (at_top**2).sum(axis=1) <= PLATE_RADIUS**2
        on_side = (side > 0) & (z_side >= TABLE_Z) & (z_side <= PLATE_Z)
    return np.where(on_top, top, np.where(on_side, side, np.inf))


def _shelf(rng: np.random.Generator) -> np.ndarray:
    """Draw boards full of books."""
    h, w = round(_WALL[3] * _TEXELS), round(_WALL[2] * _TEXELS)
    picture = np.full((h, w, 3), (52, 40, 32), np.uint8)
    shelf_h = 200
    for floor in range(h, 0, -shelf_h):
        left = -int(rng.integers(0, 20))
        while left < w:
            width = int(rng.integers(16, 46))
            _book(picture, (left, floor - int(rng.integers(120, 180)), width, floor - 16), rng)
            left += width + (int(rng.integers(15, 60)) if rng.random() < 0.04 else 1)
        cv2.rectangle(picture, (0, floor - 16), (w, floor), (168, 124, 82), -1)
        cv2.line(picture, (0, floor - 16), (w, floor - 16), (206, 164, 116), 2)
    return picture


def _book(picture: np.ndarray, spine: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    """Draw one spine with bands, a label and marks instead of letters; `spine` is (left, top, width,
    bottom).
    """
    left, top, width, bottom = spine
    hue, light = rng.uniform(0, 180), rng.uniform(60, 225)
    cover = cv2.cvtColor(
        np.array([[[hue, rng.uniform(30, 130), light]]]).astype(np.uint8), cv2.COLOR_HSV2RGB
    )[0, 0]
    ink = (238, 226, 196) if light < 150 else (44, 36, 40)
    right = left + width - 2
    cv2.rectangle(picture, (left, top), (right, bottom), tuple(map(int, cover)), -1)
    cv2.line(picture, (left, top), (left, bottom), tuple(int(c * 0.6) for c in cover), 3)
    for y in rng.integers(top + 6, bottom - 6, int(rng.integers(1, 4))):
        cv2.rectangle(picture, (left, int(y)), (right, int(y) + int(rng.integers(2, 9))), ink, -1)
    y = top + int(rng.integers(12, 30))
    while y < bottom - 40:
        step = int(rng.integers(4, 11))
        inset = int(rng.integers(3, max(4, width // 3)))
        if rng.random() < 0.75:
            cv2.rectangle(picture, (left + inset, y), (right - inset, y + step - 3), ink, -1)
        y += step


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """Draw a cloth strewn with leaves and berries."""
    h, w = round(_TABLE[3] * _TEXELS), round(_TABLE[2] * _TEXELS)
    picture = np.full((h, w, 3), (232, 222, 200), np.uint8)
    inks = [(176, 52, 48), (40, 92, 128), (64, 118, 70), (222, 160, 52), (92, 60, 110), (60, 52, 48)]
    for _ in range(5200):
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        ink = inks[rng.integers(len(inks))]
        size = int(rng.integers(5, 20))
        if rng.random() < 0.4:
            cv2.circle(picture, (x, y), size // 2 + 2, ink, -1, cv2.LINE_AA)
            cv2.circle(
                picture, (x - size // 6, y - size // 6), max(1, size // 6), (250, 244, 230), -1, cv2.LINE_AA
            )
        else:
            cv2.ellipse(
                picture, (x, y), (size + 6, size // 2 + 1), rng.uniform(0, 180), 0, 360, ink, -1, cv2.LINE_AA
            )
    return picture
