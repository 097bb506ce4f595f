"""A turntable from above: where every camera stood, with gaps, repeats and doubtful views marked."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from align.objects.sides import Side
from align.objects.turntable import Turntable
from align.scene import Scene
from pairs.rings.tangency import MOST_TANGENCY_PX

_INK, _FAINT, _CIRCLE, _DOUBT, _OBJECT = (
    (32, 34, 38),
    (110, 114, 120),
    (190, 194, 200),
    (214, 56, 40),
    (255, 122, 40),
)
_DOT, _TEXT = 5, 11
_ROOM = 0.32
"""Radius of the farthest camera, of the picture's side: the rest is for names."""
_NAMED = 24
"""Up to so many views all names are written; beyond, every so many-th."""
_OFF_DEG = 1.0
"""A view farther from its circle is drawn as doubtful, and one whose silhouette contradicts the others."""


def ring_picture(scene: Scene, table: Turntable, side: int = 640) -> np.ndarray:
    """Return a picture (side, side, 3) uint8 of the cameras as seen from above, the first to the right; for
    an object that was turned over one beside the other, each as seen from above then.
    """
    if not table.motion.rings:
        return np.full((side, side, 3), 255, np.uint8)
    doubtful = _doubtful(table)
    shown = [
        sorted(int(view) for number in way.rings for view in table.motion.rings[number].views)
        for way in table.sides
    ]
    shown[0] = sorted({*shown[0], *map(int, table.motion.outside)})
    panels = [_panel(scene, table, way, views, doubtful, side) for way, views in zip(table.sides, shown)]
    return np.hstack(panels)


def _panel(
    scene: Scene, table: Turntable, way: Side, views: list[int], doubtful: set[int], side: int
) -> np.ndarray:
    """Return a picture of the views for which the object lay one way."""
    picture = Image.new("RGB", (side, side), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    axis_from_world = table.motion.rings[way.rings[0]].axis_from_world
    flat = scene.cameras.centres[views] @ axis_from_world[:3, :3].T + axis_from_world[:3, 3]
    # Seen from below, where the axis points down, the picture would turn the other way.
    xy = flat[:, :2] * (1, -way.up)
    unit = _ROOM * side / max(float(np.linalg.norm(xy, axis=1).max()), 1e-12)
    middle = np.array([side / 2, side / 2])
    for number in way.rings:
        _disc(draw, middle, table.motion.rings[number].radius * unit, outline=_CIRCLE)
    _disc(draw, middle, 8, fill=_OBJECT)
    every = -(-len(xy) // _NAMED)
    font = ImageFont.load_default(_TEXT)
    if way.turned_over:
        text = f"turned over by {np.rad2deg(way.turned_over):.0f} degrees"
        draw.text((side / 2, 12), text, _FAINT, font=font, anchor="mt")
    for k, (view, place) in enumerate(zip(views, middle + unit * xy)):
        ink = _DOUBT if view in doubtful else _INK
        _disc(draw, place, _DOT, fill=ink)
        if k % every == 0 or view in doubtful:
            away = (place - middle) / max(float(np.linalg.norm(place - middle)), 1e-9)
            at = place + 14 * away
            anchor = "lm" if away[0] > 0.3 else "rm" if away[0] < -0.3 else "mb" if away[1] < 0 else "mt"
            name = _short(table.names[view])
            ink = _DOUBT if view in doubtful else _FAINT
            draw.text((at[0], at[1]), name, ink, font=font, anchor=anchor)
    _mark_gaps(draw, table, way, middle, unit)
    return np.asarray(picture)


def _doubtful(table: Turntable) -> set[int]:
    far = {int(view) for view in table.motion.outside}
    for ring in table.motion.rings:
        far |= {int(v) for v in ring.views[np.rad2deg(ring.rotation_residual) > _OFF_DEG]}
    place = {name: k for k, name in enumerate(table.names)}
    for pattern in table.patterns:
        moved = [table.inputs[file] for file in (() if pattern is None else pattern.out_of_order)]
        far |= {place[name] for name in moved if name in place}
    return far | {int(k) for k in np.flatnonzero(table.tangency_px > MOST_TANGENCY_PX)}


def _mark_gaps(
    draw: ImageDraw.ImageDraw, table: Turntable, way: Side, middle: np.ndarray, unit: float
) -> None:
    """Draw where photos are missing as small empty rings."""
    place = {name: k for k, name in enumerate(table.names)}
    for number in way.rings:
        ring, pattern = table.motion.rings[number], table.patterns[number]
        for a, _, missing in () if pattern is None else pattern.gaps:
            if pattern is None or (view := place.get(table.inputs[a])) is None:
                continue
            start = ring.azimuth[np.flatnonzero(ring.views == view)[0]]
            for step in range(1, missing + 1):
                angle = start + step * pattern.step
                at = middle + unit * ring.radius * np.array([np.cos(angle), -way.up * np.sin(angle)])
                _disc(draw, at, _DOT, outline=_FAINT)


def _disc(
    draw: ImageDraw.ImageDraw,
    centre: np.ndarray,
    radius: float,
    fill: tuple[int, int, int] | None = None,
    outline: tuple[int, int, int] | None = None,
) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=outline)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:6]}…{name[-9:]}"
