"""What `pointloom export` can write: formats by name, each with options of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast

from align.export.depth.depth_format import DepthFormat
from align.export.exchange.colmap_format import ColmapFormat, OpenMvsFormat
from align.export.exchange.nerfstudio import NerfstudioFormat
from align.export.exchange.splats import SplatsFormat
from align.export.gltf.blender import BlenderFormat
from align.export.mask_files import MasksFormat
from align.export.originals import Originals
from align.export.single_files import CamerasFormat, GlbFormat, PlyFormat
from align.export.tum import TumFormat
from align.scene import Scene
from masks.errors import UserError
from masks.notice import Notice
from masks.progress import Progress


class Exporter(Protocol):
    """A format: a frozen dataclass of its own options, which writes a scene into an empty folder.

    Fields that formats share have one name and one meaning: `min_conf`, `undistorted`.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    file: ClassVar[str | None]
    """Name of the one file that it writes; none where it writes several."""
    uses_photos: ClassVar[bool]
    """Whether it asks for the photos: they are not read for others."""

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write the scene, and return what the user should know of it.

        Raises `OutputError` when the place cannot be written, `UserError` when something is missing that the
        format needs.
        """
        ...


EXPORTERS: Mapping[str, Exporter] = {
    "glb": GlbFormat(),
    "ply": PlyFormat(),
    "cameras": CamerasFormat(),
    "colmap": ColmapFormat(),
    "nerfstudio": NerfstudioFormat(),
    "splats": SplatsFormat(),
    "openmvs": OpenMvsFormat(),
    "blender": BlenderFormat(),
    "depth": DepthFormat(),
    "masks": MasksFormat(),
    "tum": TumFormat(),
}
"""By the names that the command line takes, with their usual options; `dataclasses.replace` sets others."""


def exporters_named(names: str, options: Mapping[str, object] | None = None) -> dict[str, Exporter]:
    """Return the formats of a list "colmap,glb" with the given options, each set where a format has it.

    Raises `UserError` for an unknown name, a name that is there twice, and an option that no format of the
    list has.
    """
    wanted = [name.strip() for name in names.split(",")]
    for k, name in enumerate(wanted):
        if name not in EXPORTERS:
            raise UserError(f"`format={name}`: unknown. Choose from {', '.join(EXPORTERS)}.")
        if name in wanted[:k]:
            raise UserError(f"`format={names}`: names {name} twice. Name every format once.")
    chosen = {name: EXPORTERS[name] for name in wanted}
    for option, value in (options or {}).items():
        takers = [name for name in EXPORTERS if _takes(EXPORTERS[name], option)]
        if not any(name in takers for name in chosen):
            raise UserError(
                f"`{option}`: nothing that {names} knows; it belongs to {', '.join(takers)}. Omit it."
            )
        for name in chosen:
            if name in takers:
                chosen[name] = cast(Exporter, replace(cast(Any, chosen[name]), **{option: value}))
    return chosen


def in_frame(exporter: Exporter, frame: Literal["scene", "object"]) -> Exporter:
    """Return the format told in which frame the scene comes, if that makes a difference to it."""
    return (
        cast(Exporter, replace(cast(Any, exporter), frame=frame)) if _takes(exporter, "frame") else exporter
    )


def _takes(exporter: Exporter, option: str) -> bool:
    return option in {each.name for each in fields(exporter)}
