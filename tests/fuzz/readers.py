"""Everything of ours that reads a file, with small whole files for it, and what is done with it."""

from __future__ import annotations

import json
import pickle
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image
from small_predictions import predictions
from small_vggt import write_pt
from stored_scene import small_scene
from tiny_networks import tiny_network, write_folder, write_pth
from tiny_retrieval import write_head
from vggt_folder import small_folder

from align.cli.commands.info import describe
from align.evaluation.camera_errors import as_document, evaluate
from align.export.cameras_json import read_cameras, write_cameras
from align.export.colmap import TrackedModel, write_colmap
from align.export.colmap_reader import read_colmap
from align.export.export_scene import export_scene
from align.export.formats import exporters_named
from align.export.gltf.glb_points import read_glb
from align.export.ply import read_ply
from align.export.single_files import photo_cameras
from align.imports import read_cameras_of
from align.localise.data_set import read_candidates, read_map, read_queries, read_true_poses, seen_points
from align.scene import Scene
from align.scene_folder import load_scene, save_scene
from masks.errors import PointloomError, UserError
from masks.given.look import PhotoShape
from masks.image_file import ImageFacts, open_image, open_levels, probe_image
from masks.load import Polarity, load_masks
from pairs.backends.precomputed import read_predictions, write_predictions
from pairs.graph.scene_graphs import FromFile, parse_graph
from pairs.networks.describe import describe_checkpoint, describe_vggt
from pairs.networks.dust3r.checkpoint import build_network, read_checkpoint
from pairs.networks.vggt.load import inspect_vggt, load_vggt
from pairs.prediction.checks import require_sound
from pairs.prediction.store import PredictionStore
from pairs.retrieval.files import read_codebook, read_retrieval
from pairs.views.calibration import calibrated, lens_notices

NAMES = tuple(f"{k}.png" for k in range(8))
SURE = exporters_named("glb,ply,cameras", {"min_conf": 0.1})


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader of files."""

    prepare: Callable[[Path], Iterable[Path]]
    """Writes whole files into a folder, and returns those that are to be damaged."""
    read: Callable[[Path, Path], object]
    """Reads the folder, or the damaged file in it, and uses what was read."""


def all_of(*steps: Callable[[], object]) -> None:
    """Take all steps, whichever refuses; raise the first refusal afterwards."""
    refusals = []
    for step in steps:
        try:
            step()
        except PointloomError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def picture() -> Image.Image:
    rows, columns = np.mgrid[:16, :24]
    return Image.fromarray(
        np.stack([10 * columns, 15 * rows, (7 * rows * columns) % 256], -1).astype(np.uint8)
    )


def deep_picture() -> Image.Image:
    return Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257)


def look(_root: Path, path: Path) -> None:
    all_of(lambda: probe_image(path), lambda: open_image(path), lambda: open_levels(path))


def saved(folder: Path, pictures: dict[str, tuple[Image.Image, dict]]) -> list[Path]:
    for name, (image, options) in pictures.items():
        image.save(folder / name, **options)
    return [folder / name for name in pictures]


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation], tags[ExifTags.Base.Make] = 6, "Maker"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    return tags


def jpegs(folder: Path) -> list[Path]:
    image = picture()
    kinds = {
        "plain.jpg": (image, {"exif": exif()}),
        "progressive.jpg": (image, {"progressive": True}),
        "grey.jpg": (image.convert("L"), {}),
        "cmyk.jpg": (image.convert("CMYK"), {}),
        "two.jpg": (image, {"format": "MPO", "save_all": True, "append_images": [image]}),
    }
    return saved(folder, kinds)


def pngs(folder: Path) -> list[Path]:
    image = picture()
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    kinds = {
        "plain.png": (image, {"exif": exif()}),
        "alpha.png": (alpha, {}),
        "palette.png": (image.quantize(16), {"transparency": 3}),
        "deep.png": (deep_picture(), {}),
        "bits.png": (image.convert("1"), {}),
        "levels.png": (image.convert("L"), {"transparency": 80}),
    }
    return saved(folder, kinds)


def tiffs(folder: Path) -> list[Path]:
    image = picture()
    ways = ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
    kinds = {f"{way}.tif": (image, {"compression": way}) for way in ways}
    kinds["fax.tif"] = (image.convert("1"), {"compression": "group4"})
    kinds["float.tif"] = (image.convert("F"), {})
    kinds["deep.tif"] = (
        deep_picture(),
        {"exif": exif()},
    )
    kinds["cmyk.tif"] = (image.convert("CMYK"), {})
    return saved(folder, kinds)


def webps(folder: Path) -> list[Path]:
    image = picture()
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    return saved(
        folder,
        {
            "plain.webp": (image, {"exif": exif()}),
            "lossless.webp": (alpha, {"lossless": True}),
            "moving.webp": (image, {"save_all": True, "append_images": [image.rotate(90)]}),
        },
    )


def bitmaps(folder: Path) -> list[Path]:
    image = picture()
    kinds = {
        "plain.bmp": (image, {}),
        "palette.bmp": (image.quantize(16), {}),
        "bits.bmp": (image.convert("1"), {}),
        "plain.gif": (image.quantize(16), {}),
        "moving.gif": (
            image.quantize(8),
            {"save_all": True, "append_images": [image.rotate(90).quantize(8)]},
        ),
    }
    return saved(folder, kinds)


def heics(folder: Path) -> list[Path]:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return saved(folder, {"plain.heic": (picture(), {"format": "HEIF"})})


def foreign_pictures(folder: Path) -> list[Path]:
    """Formats that Pillow knows and the documentation does not, under names of photos, after a photo."""
    image = picture()
    forms = ("AVIF", "DDS", "PPM", "TGA", "ICO", "JPEG2000", "PCX", "SGI", "IM", "EPS", "QOI")
    Image.init()
    kinds = {f"{form}.jpg": (image, {"format": form}) for form in forms if form in Image.SAVE}
    return saved(folder, {"JPEG.jpg": (image, {}), **kinds})


def two_masks(folder: Path) -> list[Path]:
    disc = np.hypot(*np.mgrid[-8:8, -12:12]) < 5
    paths = [folder / "a.tif", folder / "b.tif", folder / "c.png"]
    for path, kind in zip(paths, (np.float32, np.uint16, np.uint8)):
        Image.fromarray((disc * (1 if kind is np.float32 else np.iinfo(kind).max)).astype(kind)).save(path)
    return paths


def read_two_masks(root: Path, _path: Path) -> None:
    paths = sorted(root.iterdir())
    masks, _ = load_masks(paths, [PhotoShape(p.name, (24, 16), 1) for p in paths], Polarity.AUTO)
    for mask in masks:
        mask.coverage  # noqa: B018 - what is told of every mask


def predictions_folder(folder: Path) -> list[Path]:
    disc = np.hypot(*np.mgrid[-16:16, -24:24]) < 14
    write_predictions(predictions(mask=disc), folder)
    kept = ["views.json", "images/0.jpg.png", "masks/1.jpg.png"]
    return [*(folder / name for name in kept * 3), *sorted((folder / "pairs").iterdir())]


def read_all_predictions(root: Path, _path: Path) -> None:
    found = read_predictions(root)
    require_sound(found)
    all_of(*(partial(found.load, k) for k in range(len(found.edges))))


def scene_folder(folder: Path) -> list[Path]:
    save_scene(small_scene(), folder)
    document = json.loads((folder / "scene.json").read_text())
    # As older programs wrote it: the digest would stop most damage of the arrays before it is looked at.
    del document["arrays_digest"]
    (folder / "scene.json").write_text(json.dumps(document))
    return [folder / "scene.json", folder / "views.safetensors"]


def use_scene(root: Path, _path: Path) -> None:
    scene = load_scene(root)
    describe(scene)
    evaluate_or_refuse(scene, small_scene())
    made = root / "made"
    try:
        export_scene(scene, made, SURE)
        read_cameras(made / "cameras.json")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def evaluate_or_refuse(scene: Scene, truth: Scene) -> None:
    try:
        as_document(evaluate(scene, photo_cameras(truth)))
    except UserError:  # photos of other names: the scene itself may be whole
        return


def cameras_file(folder: Path) -> list[Path]:
    write_cameras(folder / "cameras.json", photo_cameras(small_scene()))
    return [folder / "cameras.json"]


def use_cameras(_root: Path, path: Path) -> None:
    as_document(evaluate(small_scene(), read_cameras(path)))


def plys(folder: Path) -> list[Path]:
    export_scene(small_scene(), folder / "binary.ply", {"ply": SURE["ply"]})
    lines = ["ply", "format ascii 1.0", "element vertex 3", *(f"property float {axis}" for axis in "xyz")]
    lines += [*(f"property uchar {c}" for c in ("red", "green", "blue")), "end_header"]
    lines += [f"{k} {k + 1}.5 -1e-3 10 20 3{k}" for k in range(3)]
    (folder / "ascii.txt").write_text("\n".join(lines))
    return [folder / "binary.ply", folder / "ascii.txt"]


def glbs(folder: Path) -> list[Path]:
    export_scene(small_scene(), folder / "scene.glb", {"glb": SURE["glb"]})
    return [folder / "scene.glb"]


def colmap_models(folder: Path) -> list[Path]:
    poses = small_scene().cameras.cam_from_world
    observed = np.tile(np.arange(4), 3)
    model = TrackedModel(
        "PINHOLE",
        params=np.array([[10.0, 11, 6, 4]]),
        size=np.array([[12, 8]]),
        camera_of_image=np.zeros(3, int),
        cam_from_world=poses,
        points=np.arange(12.0).reshape(4, 3),
        image=np.repeat(np.arange(3), 4),
        point=observed,
        xy=np.random.default_rng(0).uniform(0, 8, (12, 2)),
    )
    write_colmap(model, ["a", "b", "c"], folder / "binary")
    text = folder / "text"
    text.mkdir()
    (text / "cameras.txt").write_text(
        "# cameras\n1 PINHOLE 12 8 10 11 6 4\n2 SIMPLE_RADIAL 12 8 10 6 4 0.1\n"
    )
    (text / "images.txt").write_text(
        "# images\n1 1 0 0 0 0 0 1 1 a.jpg\n1 2 1 3 4 -1\n2 .7 0 .7 0 1 0 1 2 b c.jpg\n\n"
    )
    (text / "points3D.txt").write_text("# points\n1 0 1 2 10 20 30 .5 1 0\n4 1 1 2 1 2 3 .5 1 0 2 0\n")
    names = ("cameras", "images", "points3D")
    return [*(folder / "binary" / f"{name}.bin" for name in names), *(text / f"{name}.txt" for name in names)]


def use_colmap(_root: Path, path: Path) -> None:
    read_colmap(path.parent)
    scene = read_map(path.parent)
    for name in scene.image_id:
        seen_points(scene, name)


def codebooks(folder: Path) -> list[Path]:
    words = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    paths = [folder / f"protocol{protocol}.pkl" for protocol in (0, 2, 4, 5)]
    for path, protocol in zip(paths, (0, 2, 4, 5)):
        content = {"type": "Codebook", "params": {"size": 8}, "state": {"centroids": words}}
        path.write_bytes(pickle.dumps(content, protocol))
    return paths


def retrieval_files(folder: Path) -> list[Path]:
    head = write_head(folder)
    return [head, head, *folder.glob("*.pkl")]


def torch_records(folder: Path) -> list[Path]:
    """Small files: most damage hits what describes the tensors."""
    paths = [folder / "net.pth"]
    args = Namespace(model="AsymmetricCroCo3DStereo(pos_embed='RoPE100', enc_depth=2)", epochs=3, names=["a"])
    torch.save({"args": args, "model": {"enc_norm.weight": torch.ones(768)}, "epoch": 4}, paths[0])
    return paths


def pair_networks(folder: Path) -> list[Path]:
    paths = []
    for head in ("linear", "dpt", "catmlp+dpt"):
        paths.append(write_pth(folder / f"{head}.pth", tiny_network(head)))
    hub = write_folder(folder / "hub", tiny_network())
    return [*paths, *(hub / name for name in ("config.json", "config.json", "model.safetensors"))]


def describe_pair_network(_root: Path, path: Path) -> None:
    describe_checkpoint(read_checkpoint(path))


def use_pair_network(root: Path, path: Path) -> None:
    checkpoint = read_checkpoint(root / "hub" if path.parent.name == "hub" else path)
    describe_checkpoint(checkpoint)
    build_network(checkpoint)


def vggt_files(folder: Path) -> list[Path]:
    hub = small_folder(folder / "hub")
    from small_vggt import small_vggt
    from vggt_folder import larger_config

    alone = folder / "alone"
    alone.mkdir()
    write_pt(alone / "model.pt", small_vggt(0, larger_config()))
    (alone / "config.json").write_bytes((hub / "config.json").read_bytes())
    return [hub / "config.json", hub / "config.json", hub / "model.safetensors", alone / "model.pt"]


def use_vggt(_root: Path, path: Path) -> None:
    described = path.parent if path.parent.name == "hub" else path
    describe_vggt(*inspect_vggt(described))
    load_vggt(described)


def pair_lists(folder: Path) -> list[Path]:
    (folder / "pairs.txt").write_text("# pairs\n0.png 1.png\n1.png\t2.png\n3.png 7.png\n")
    return [folder / "pairs.txt"]


def localisation_lists(folder: Path) -> list[Path]:
    lists = {
        "queries.txt": "# \na.jpg PINHOLE 64 48 70 71 32 24\nb.jpg OPENCV 64 48 70 71 32 24 .1 .2 .3 .4\n",
        "pairs.txt": "# query_image, map_image, score\nq, a, 0.5\nq, b, 0.9\n",
        "poses.txt": "a.jpg 1 0 0 0 0 0 1\nb.jpg .5 .5 .5 .5 1 2 3\n",
    }
    for name, text in lists.items():
        (folder / name).write_text(text)
    return [folder / name for name in lists]


def use_localisation_list(_root: Path, path: Path) -> None:
    {"queries.txt": read_queries, "pairs.txt": read_candidates, "poses.txt": read_true_poses}[path.name](path)


def graph_names(folder: Path) -> list[Path]:
    names = "complete ring window:3 window:3:open logwindow:4 logwindow:4:open star:0 retrieval:20,10"
    paths = []
    for k, name in enumerate([*names.split(), "file:pairs.txt"]):
        (folder / f"{k}.txt").write_text(name)
        paths.append(folder / f"{k}.txt")
    return paths


def use_graph_name(_root: Path, path: Path) -> None:
    parse_graph(path.read_bytes().decode("utf-8", "surrogateescape")).edges(NAMES)


def store_entries(folder: Path) -> list[Path]:
    store = PredictionStore(folder)
    store.put("kind", "key", {"a": np.arange(12.0).reshape(3, 4), "b": np.arange(5, dtype=np.uint8)})
    return [store.path("kind", "key")]


def opencv_calibrations(folder: Path) -> list[Path]:
    K, coefficients = np.array([[10.0, 0, 6], [0, 11, 4], [0, 0, 1]]), np.array([[-0.1, 0.02, 0.001, 0, 0]])
    written = [folder / f"lens.{ending}" for ending in ("yml", "xml", "json")]
    for path in written:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
        for name, value in (("image_width", 12), ("image_height", 8), ("camera_matrix", K)):
            storage.write(name, value)
        storage.write("distortion_coefficients", coefficients)
        storage.release()
    numbers = ", ".join(map(str, K.ravel()))
    (folder / "ros.yaml").write_text(
        "image_width: 12\nimage_height: 8\ncamera_name: narrow\ncamera_matrix:\n  rows: 3\n  cols: 3\n"
        f"  data: [{numbers}]\ndistortion_model: plumb_bob\ndistortion_coefficients:\n  rows: 1\n  cols: 5\n"
        "  data: [-0.1, 0.02, 0.001, 0.0, 0.0]\n"
    )
    return [*written, folder / "ros.yaml"]


def transforms_files(folder: Path) -> list[Path]:
    shared = {"camera_model": "OPENCV", "fl_x": 10.0, "fl_y": 11.0, "cx": 6.0, "cy": 4.0, "w": 12, "h": 8}
    lens = {"k1": -0.1, "k2": 0.01, "p1": 0.001, "p2": 0.0}
    frames = [
        {"file_path": f"images/{k}.png", "transform_matrix": np.linalg.inv(pose).tolist()}
        for k, pose in enumerate(small_scene().cameras.cam_from_world)
    ]
    own = {key: value for key, value in shared.items() if key != "camera_model"} | lens
    documents = {
        "shared.json": shared | lens | {"frames": frames, "applied_transform": np.eye(4)[:3].tolist()},
        "own.json": {"frames": [frame | own for frame in frames]},
        "angle.json": {"camera_angle_x": 0.7, "w": 12, "h": 8, "frames": frames},
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    return [folder / name for name in documents]


def use_camera_file(_root: Path, path: Path) -> None:
    """Read cameras and give them to photos of their names, or of their size."""
    found = read_cameras_of(path)
    facts = [ImageFacts(Path(f"{k}.png"), (12, 8), 1, False, {}) for k in range(3)]
    cameras, _ = calibrated(facts, found)
    by_name = dict(zip((fact.path.name for fact in facts), cameras))
    lens_notices(by_name, dict.fromkeys(by_name))


def use_store(root: Path, _path: Path) -> None:
    store = PredictionStore(root)
    store.has("kind", "key")
    if store.get("kind", "key") is None:
        raise UserError("thrown away, and made again")


READERS: dict[str, Reader] = {
    "photos: JPEG": Reader(jpegs, look),
    "photos: PNG": Reader(pngs, look),
    "photos: TIFF": Reader(tiffs, look),
    "photos: WebP": Reader(webps, look),
    "photos: BMP and GIF": Reader(bitmaps, look),
    "photos: HEIC": Reader(heics, look),
    "photos: foreign formats": Reader(foreign_pictures, look),
    "masks": Reader(two_masks, read_two_masks),
    "predictions": Reader(predictions_folder, read_all_predictions),
    "scene": Reader(scene_folder, use_scene),
    "cameras.json": Reader(cameras_file, use_cameras),
    "PLY": Reader(plys, lambda _root, path: read_ply(path)),
    "GLB": Reader(glbs, lambda _root, path: read_glb(path)),
    "COLMAP": Reader(colmap_models, use_colmap),
    "OpenCV calibration": Reader(opencv_calibrations, use_camera_file),
    "transforms.json": Reader(transforms_files, use_camera_file),
    "cameras of a COLMAP model": Reader(colmap_models, lambda _root, path: read_cameras_of(path)),
    "codebook": Reader(codebooks, lambda _root, path: read_codebook(path, 8)),
    "retrieval head": Reader(retrieval_files, lambda root, _path: read_retrieval(next(root.glob("*.pth")))),
    "checkpoint record": Reader(torch_records, describe_pair_network),
    "pair network": Reader(pair_networks, use_pair_network),
    "VGGT": Reader(vggt_files, use_vggt),
    "pair list": Reader(pair_lists, lambda _root, path: FromFile(path).edges(NAMES)),
    "localisation lists": Reader(localisation_lists, use_localisation_list),
    "graph name": Reader(graph_names, use_graph_name),
    "store entry": Reader(store_entries, use_store),
}
