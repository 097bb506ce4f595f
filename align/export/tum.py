"""A camera trajectory in the format of the TUM RGB-D benchmark, which evo and other tools of SLAM read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from align.export.originals import Originals
from align.scene import Scene
from masks.disk.whole_file import write_whole
from masks.notice import Notice
from masks.progress import Progress


@dataclass(frozen=True, slots=True)
class TumFormat:
    """A line `timestamp tx ty tz qx qy qz qw` for every placed photo: world_from_cam, OpenCV axes."""

    file: ClassVar[str | None] = "trajectory.txt"
    uses_photos: ClassVar[bool] = False

    def write(
        self, scene: Scene, originals: Originals, folder: Path, progress: Progress
    ) -> tuple[Notice, ...]:
        """Write `trajectory.txt`. Photos have no time: a photo's number among all that were given stands for
        it, so that one without a place leaves a gap.
        """
        # Torch takes seconds to load, and no other format needs it.
        import roma
        import torch

        world_from_cam = scene.cameras.world_from_cam
        quaternions = roma.rotmat_to_unitquat(torch.from_numpy(world_from_cam[:, :3, :3])).numpy()
        rows = np.concatenate([world_from_cam[:, :3, 3], quaternions], axis=1)
        number = {name: k for k, name in enumerate(scene.inputs)}
        lines = ["# timestamp tx ty tz qx qy qz qw"]
        for view, row in sorted(zip(scene.views, rows), key=lambda each: number[each[0].name]):
            # Readers skip lines that begin with #; ascii, since names need not be text.
            lines += [f"# {ascii(view.name)[1:-1]}", " ".join(map(repr, [number[view.name], *row.tolist()]))]
        write_whole(folder / "trajectory.txt", ("\n".join(lines) + "\n").encode())
        return ()
