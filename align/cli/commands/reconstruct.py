"""pointloom reconstruct: photos and masks in, a scene out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from align.cli.commands.mesh import as_text as mesh_text
from align.cli.console import StageDisplay, print_result, require_writable, summary
from align.export.originals import PhotoSource
from align.export.photo_sources import write_sources
from align.imports.any_file import read_cameras_of
from align.made_masks.reconstructed import has_made_masks
from align.made_masks.second_pass import has_mended_masks
from align.meshes.extra import require_mesh
from align.meshes.scene_mesh import write_object_mesh
from align.pipeline import reconstruct
from align.presets import DEPTHS, preset_for, preset_named, without_circles
from align.scene import Scene
from align.scene_folder import remove_parts, save_scene
from masks.errors import OutputError, UserError
from masks.load import Polarity
from masks.memory import give_back_freed_memory
from pairs.backends.protocol import Backend
from pairs.backends.registry import make_backend, option_names
from pairs.views.grid import Cropping, GridOptions
from pairs.views.load import LoadOptions


@dataclass(frozen=True)
class Reconstruct:
    """Find the cameras of photos of an object, and its depth.

    Interrupted runs go on where they stopped: finished steps are kept in the store.
    """

    images: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGES..."), tyro.conf.Positional]
    """A folder of photos, or the photos themselves."""
    out: Annotated[Path, tyro.conf.arg(metavar="SCENE")]
    """Folder of the scene to write."""
    masks: Annotated[str, tyro.conf.arg(metavar="DIR|auto|make|none")] = "auto"
    """Folder of masks (PNG or JPEG, named as the photos). auto: masks beside the photos or in their alpha
    channels; where there are none and the object turned before a backdrop that stands still, they are made.
    make: as pointloom masks makes them; they lie in SCENE/masks. none: ignore all masks."""
    mask_polarity: Polarity = Polarity.AUTO
    """Which side of a mask is the object; auto: the side that touches the border less."""
    mask_erode: Annotated[int, tyro.conf.arg(metavar="PX")] = 0
    """Shrink every mask by so many photo pixels, for masks that bleed into the background."""
    calibration: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Intrinsics and lens of the photos, where they are known: cameras.json, a COLMAP model or its
    cameras.txt, a transforms.json of nerfstudio, or a calibration of OpenCV or ROS (YAML, XML). They stay as
    they are, and everything sees the photos without their distortion."""
    cameras: Annotated[str, tyro.conf.arg(metavar="exif|one|folder|each|FILE")] = "exif"
    """Which photos share a camera, and so a focal; photos of different sizes never do. exif (default): those
    of one body, lens and zoom by EXIF; where it says nothing, those of one folder, and the solve checks that
    one focal explains them. one: all; folder: those of one folder; each: none; FILE: a text file with lines
    "name group", one a photo."""
    backend: str = "classical"
    """What looks at the photos: classical needs no weights and no download. Networks: mast3r and dust3r see
    pairs; vggt sees all photos together
    and its cameras are taken as they are; vggt-tracks refines these by points that it follows through the
    photos; vggt-pairs shows it pairs."""
    weights: Annotated[str | None, tyro.conf.arg(metavar="FILE|NAME")] = None
    """Checkpoint of a network: a .pth file, a Hugging Face folder, or a published name; default: the
    published one of the backend."""
    device: str | None = None
    """Where a network runs: cpu, cuda; default: cuda where there is one."""
    precision: str | None = None
    """Numbers that a network's encoder and decoders work with: float32 (default), bfloat16, float16."""
    batch: Annotated[int | None, tyro.conf.arg(metavar="PAIRS")] = None
    """Pairs that a network decodes at once; halved, and said, when the memory does not suffice."""
    max_frames: Annotated[str | None, tyro.conf.arg(metavar="auto|all|PHOTOS")] = None
    """Photos that vggt and vggt-tracks look at in one pass. auto (default): all, or as many as the free
    memory allows, in overlapping groups that are
    joined by the photos they share; all: those or none; a number: so many."""
    fill: str | None = None
    """What a network sees behind the object: mean (default; its mean colour), constant, blur, nearest, or
    keep (the background as it is)."""
    graph: Annotated[str, tyro.conf.arg(metavar="GRAPH")] = "auto"
    """Which pairs are aligned: auto (the backend's choice), complete, ring, window:3, logwindow:4, star:0,
    file:PAIRS.txt,
    retrieval:20,10 (20 key views, and every view with its 10 most similar, by a network with --retrieval)."""
    retrieval: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Retrieval head that was made for the network, its codebook beside it: photos that are alike
    are paired."""
    engine: str | None = None
    """Where the work runs: process (processes of this machine, a network in this one; default), or ray
    (workers on Ray; extra distributed; on the cluster that RAY_ADDRESS names, or on this machine)."""
    turntable: Annotated[str | None, tyro.conf.arg(metavar="auto|off|full|STEP")] = None
    """What a turntable may add. classical, where features do not place all photos: auto (default): where the
    placed cameras stand on a circle, the others are placed on it by the masks' outlines; full: the photos go
    round once in equal steps; STEP: degrees from photo to photo, in the order of the files. The last two need
    no texture. Networks: auto holds cameras on an exact circle, and in equal steps, as far as the matches
    agree. off: nothing."""
    aligner: Literal["bundle", "sparse", "dense"] | None = None
    """What aligns. bundle: ours (default); sparse: MASt3R's losses, of anchors and matches; dense: DUSt3R's,
    of all pixels of the pointmaps."""
    preset: str = "auto"
    """Settings of the aligner. auto: pointloom, mast3r or dense, by --aligner; others are the published
    ones: mast3r-function, mast3r-2024; dust3r, dust3r-demo, dust3r-modular, dust3r-pair (two photos)."""
    known_poses: Annotated[Path | None, tyro.conf.arg(metavar="MODEL|sidecars")] = None
    """Poses of all photos or some, in whose world and scale the scene will be: a COLMAP model (text or
    binary), a transforms.json, a cameras.json, LLFF's poses_bounds.npy, or sidecars (a.json beside a.jpg with
    azimuth_deg, elevation_deg, radius). They are compared with the photos first."""
    poses: Literal["soft", "frozen"] | None = None
    """What becomes of camera poses. frozen: they stay to the bit; soft: they are improved. Default: frozen
    for known poses, soft for those of the backend, if it has any."""
    depth: Literal["aligned", "tsdf", "matches"] = "aligned"
    """Where depths come from once the cameras stand. aligned: from the aligner; tsdf: the same, moved to
    where the surfaces of all views agree;
    matches: from triangulated matches, and no depth where there are none."""
    longest: Annotated[int | None, tyro.conf.arg(metavar="PX")] = None
    """Longest side of the depth maps, 512 when not given; networks have grids of their own."""
    crop: Cropping = Cropping.AUTO
    """Whether photos are cut down to their masks first: finer depth for an object that is small in its
    photos. auto: all of them, where the object then comes out half as large again; not for networks."""
    seed: int = 0
    """Seed of everything that draws at random."""
    mesh: bool = False
    """Make the object's mesh, too, upright and with a texture from the photos: SCENE/object.glb, as
    `pointloom mesh` does (extra mesh)."""
    second_pass: bool = False
    """Where masks do not fit the surface of all views, put its silhouettes in their place and reconstruct
    again (docs/second_pass.md; extra mesh)."""
    store: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of finished steps; default: SCENE/store."""

    def run(self) -> None:
        """Reconstruct, save, and print what came out."""
        self.run_with(StageDisplay())

    def run_with(self, display: StageDisplay) -> None:
        """Do the same with a display that the caller keeps, to read the seconds of every stage from."""
        if self.mesh or self.second_pass:
            require_mesh()
        with display:
            scene, source = self._reconstruct(display)
            display("saving", 0, 1)
            save_scene(scene, self.out)
            write_sources(self.out, [source])
            remove_parts(self.out)
            told, made = scene.report.notices, None
            if self.mesh:
                # 1.5 GB at its peak instead of 1.9 with 36 photos of 768 x 576.
                give_back_freed_memory()
                made = write_object_mesh(
                    scene, self.out / "object.glb", [source], overwrite=True, progress=display
                )
                # What the photos are loaded with is said in the scene's report already.
                told = (*told, *(notice for notice in made.notices if notice not in told))
        display.show(told)
        print_result(summary(scene, self.out))
        if made:
            print_result(mesh_text(made.figures, self.out / "object.glb"))

    def _reconstruct(self, display: StageDisplay) -> tuple[Scene, PhotoSource]:
        require_writable(self.out, "--out")
        if self.store is not None:
            _require_store(self.store)
        calibration = None if self.calibration is None else read_cameras_of(self.calibration)
        display("opening the backend", 0, 1)
        backend = self._backend()
        preset = preset_named(preset_for(self.aligner, self.preset))
        preset = replace(preset, depth=DEPTHS[self.depth])
        if self._turntable_is_the_aligners() and self.turntable == "off":
            preset = without_circles(preset)
        grid = GridOptions(crop=self.crop)
        load = LoadOptions(
            polarity=self.mask_polarity,
            erode_px=self.mask_erode,
            calibration=calibration,
            cameras=self.cameras,
            grid=grid if self.longest is None else replace(grid, longest=self.longest),
        )
        made_masks = self.out / "masks"
        scene = reconstruct(
            self.images,
            self.masks,
            backend=backend,
            graph=None if self.graph == "auto" else self.graph,
            preset=preset,
            known_poses=self.known_poses,
            poses=self.poses,
            load=load,
            made_masks=made_masks,
            second_pass=self.second_pass,
            store=self.store or self.out / "store",
            progress=display,
        )
        if has_mended_masks(scene):
            return scene, PhotoSource(
                self.images, made_masks / "mended", LoadOptions(polarity=Polarity.WHITE)
            )
        if has_made_masks(scene):
            read = LoadOptions(polarity=Polarity.WHITE, erode_px=self.mask_erode)
            return scene, PhotoSource(self.images, made_masks, read)
        # Masks that were to be made and are of no use leave none.
        masks = "none" if self.masks == "make" else self.masks
        read = LoadOptions(polarity=self.mask_polarity, erode_px=self.mask_erode)
        return scene, PhotoSource(self.images, masks if masks in ("auto", "none") else Path(masks), read)

    def _turntable_is_the_aligners(self) -> bool:
        """Tell whether what is said of the turntable concerns the aligner, not the backend."""
        return self.turntable in ("auto", "off") and "turntable" not in option_names(self.backend)

    def _backend(self) -> Backend:
        chosen = {
            "weights": self.weights,
            "device": self.device,
            "precision": self.precision,
            "batch": self.batch,
            "fill": self.fill,
            "retrieval": self.retrieval,
            "engine": self.engine,
            "max_frames": self.max_frames,
            "turntable": self.turntable,
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        if self._turntable_is_the_aligners():
            del given["turntable"]
        backend = make_backend(self.backend, seed=self.seed, **given)
        asked = {"longest": self.longest is not None, "crop": self.crop is Cropping.ON}
        of_grid = [name for name, said in asked.items() if said]
        if of_grid and backend.fixed_grid is not None:
            raise UserError(
                f"{', '.join(f'`{name}`' for name in of_grid)}: the backend {self.backend} predicts on "
                f"{backend.fixed_grid}. Omit it."
            )
        return backend


def _require_store(folder: Path) -> None:
    """Find out whether a store can be written. One that holds something need not be: it may hold every step.

    What it lacks is an `OutputError` when it is made.
    """
    try:
        require_writable(folder, "--store")
    except OutputError:
        if not any(folder.glob("*/*.safetensors")):
            raise
