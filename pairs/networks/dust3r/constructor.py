"""The arguments that a checkpoint was built with: the constructor string of a `.pth` file, the `config.json`
of a Hugging Face folder.

Neither is ever evaluated (docs/pair_networks.md, "Checkpoint files"). Of the arguments that are absent, the
constructors' defaults hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from masks.errors import FormatError
from masks.notice import first_few
from masks.reading import reading, shown
from pairs.networks.constructor_call import (
    UnfitError,
    choice,
    constructor_call,
    flag,
    literal,
    number,
    parse_expression,
    whole_number,
)
from pairs.networks.dust3r.config import DptWidths, HeadType, Mode, NetworkConfig, OutputModes, StackConfig

Kind = Literal["dust3r", "mast3r"]
_T = TypeVar("_T")
_N = TypeVar("_N", int, float)

_KINDS: Mapping[str, Kind] = {"AsymmetricCroCo3DStereo": "dust3r", "AsymmetricMASt3R": "mast3r"}
_UNLIMITED = (-math.inf, math.inf)
_DEFAULTS: Mapping[str, Any] = {
    "output_mode": "pts3d",
    "head_type": "linear",
    "depth_mode": ("exp", *_UNLIMITED),
    "conf_mode": ("exp", 1, math.inf),
    "landscape_only": True,
    "patch_embed_cls": "PatchEmbedDust3R",
    "img_size": 224,
    "patch_size": 16,
    "enc_embed_dim": 768,
    "enc_depth": 12,
    "enc_num_heads": 12,
    "dec_embed_dim": 512,
    "dec_depth": 8,
    "dec_num_heads": 16,
    "mlp_ratio": 4,
    "norm_im2_in_dec": True,
    "pos_embed": "cosine",
}
_MAST3R_DEFAULTS: Mapping[str, Any] = {"desc_mode": "norm", "two_confs": False, "desc_conf_mode": None}
_TRAINING_ONLY = ("freeze", "mask_ratio")
"""Arguments that change nothing in a network that is only asked."""

_HEADS: Mapping[str, tuple[HeadType, Kind]] = {
    "linear": ("linear", "dust3r"),
    "dpt": ("dpt", "dust3r"),
    "catmlp+dpt": ("catmlp+dpt", "mast3r"),
}
_PATCHES = {"PatchEmbedDust3R": False, "ManyAR_PatchEmbed": True}
# Published strings have a few hundred characters. A much longer one could exhaust the parser, a deeper or
# wider network the memory.
_MOST_CHARACTERS, _MOST_DEPTH, _MOST_CHANNELS, _MOST_SIDE = 10_000, 200, 16_384, 16_384
_REMEDY = "Use a published checkpoint."


def config_from_string(text: str, source: str) -> NetworkConfig:
    """Return the configuration that a constructor string such as "AsymmetricMASt3R(enc_depth=24, ...)" stands
    for.

    `source` is the file that messages name. Raises `FormatError` for anything but one call of a known class
    with literal keyword arguments.
    """
    with reading(source, _REMEDY, "holds no network that can be"):
        return _config_from_string(text, source)


def _config_from_string(text: str, source: str) -> NetworkConfig:
    try:
        call = constructor_call(parse_expression(text, _MOST_CHARACTERS))
        if call is None or call.positional:
            raise UnfitError("no constructor with keyword arguments")
    except UnfitError as error:
        raise FormatError(
            f"{source}: its model string ({shown(text)}) is {error}. Use a published checkpoint."
        ) from None
    if call.name not in _KINDS:
        raise FormatError(
            f"{source}: holds a network of class {call.name}; {' and '.join(_KINDS)} are known. Use a "
            "DUSt3R or MASt3R checkpoint."
        )
    try:
        given = {name: literal(node, {"inf": math.inf}) for name, node in call.keywords.items()}
    except UnfitError as error:
        raise FormatError(f"{source}: its model string holds {error}. Use a published checkpoint.") from None
    return _config(_KINDS[call.name], given, source)


def config_from_json(given: object, source: str) -> NetworkConfig:
    """Return the configuration that the flat constructor arguments of a Hugging Face folder stand for.
    Descriptors tell the two papers apart.
    """
    if not isinstance(given, Mapping):
        raise FormatError(
            f"{source}: should hold one object with the network's arguments. Download the folder again."
        )
    with reading(source, _REMEDY, "holds no network that can be"):
        described = "desc" in str(given.get("output_mode"))
        return _config(
            "mast3r" if described else "dust3r", {str(name): value for name, value in given.items()}, source
        )


def loaded_form(config: NetworkConfig) -> NetworkConfig:
    """Return the configuration in which checkpoints are used: images of any orientation as they lie
    (docs/pair_networks.md, "Checkpoint files").
    """
    return replace(config, mixed_orientation=False, landscape_outputs=False)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """Given values over defaults; reading one checks it."""

    values: Mapping[str, Any]
    source: str

    def refuse(self, name: str, why: str) -> FormatError:
        return FormatError(
            f"{self.source}: {name}={shown(self.values[name])}: {why}. Use a published DUSt3R or MASt3R "
            "checkpoint."
        )

    def read(self, name: str, reader: Callable[[Any], _T]) -> _T:
        try:
            return reader(self.values[name])
        except UnfitError as error:
            raise self.refuse(name, f"should be {error}") from None

    def within(self, name: str, reader: Callable[[Any], _N], least: float, most: float) -> _N:
        value = self.read(name, reader)
        if not least <= value <= most:
            raise self.refuse(name, f"should be from {least:g} to {most:g}")
        return value

    def mode(self, name: str, functions: tuple[str, ...]) -> Mode:
        match self.values[name]:
            case [str(function), int() | float() as least, int() | float() as greatest] if (
                function in functions and least < greatest
            ):
                return (function, float(least), float(greatest))
        raise self.refuse(
            name, f"should be a function ({', '.join(functions)}) with its least and greatest value"
        )


def _config(kind: Kind, given: Mapping[str, Any], source: str) -> NetworkConfig:
    known = _DEFAULTS if kind == "dust3r" else {**_DEFAULTS, **_MAST3R_DEFAULTS}
    unknown = sorted(set(given) - set(known) - set(_TRAINING_ONLY) - set(_MAST3R_DEFAULTS))
    if unknown:
        raise FormatError(
            f"{source}: unknown arguments of the network: {first_few(unknown)}. They may change what it "
            "computes: use a published one."
        )
    arguments = _Arguments({**known, **given}, source)
    head, head_kind = _HEADS[arguments.read("head_type", choice(*_HEADS))]
    if head_kind != kind:
        raise arguments.refuse(
            "head_type", f"does not belong to {'MASt3R' if kind == 'mast3r' else 'DUSt3R'}"
        )
    return NetworkConfig(
        kind=kind,
        encoder=_stack(arguments, "enc"),
        decoder=_stack(arguments, "dec"),
        head=head,
        outputs=_outputs(kind, arguments),
        dpt=None if head == "linear" else DptWidths(),
        image_size=_image_size(arguments),
        patch_size=arguments.within("patch_size", whole_number, 1, 64),
        mlp_ratio=arguments.within("mlp_ratio", number, 1 / _MOST_CHANNELS, 16),
        norm_memory=arguments.read("norm_im2_in_dec", flag),
        rope_base=_rope_base(arguments),
        mixed_orientation=_PATCHES[arguments.read("patch_embed_cls", choice(*_PATCHES))],
        landscape_outputs=arguments.read("landscape_only", flag),
    )


def _stack(arguments: _Arguments, side: str) -> StackConfig:
    dim = arguments.within(f"{side}_embed_dim", whole_number, 1, _MOST_CHANNELS)
    depth = arguments.within(f"{side}_depth", whole_number, 1, _MOST_DEPTH)
    stack = StackConfig(dim, depth, arguments.within(f"{side}_num_heads", whole_number, 1, dim))
    # Rotary embedding splits a head into row and column, and each of these into pairs.
    if dim % (4 * stack.heads):
        raise arguments.refuse(
            f"{side}_embed_dim", f"{stack.heads} heads need a multiple of {4 * stack.heads} channels"
        )
    return stack


def _outputs(kind: Kind, arguments: _Arguments) -> OutputModes:
    depth = arguments.mode("depth_mode", ("exp", "square", "linear"))
    if depth[1:] != _UNLIMITED:
        raise arguments.refuse("depth_mode", "bounds of depth are not supported")
    conf = None if arguments.values["conf_mode"] is None else arguments.mode("conf_mode", ("exp", "sigmoid"))
    if kind == "dust3r":
        arguments.read("output_mode", choice("pts3d"))
        return OutputModes(depth, conf)
    found = re.fullmatch(r"pts3d\+desc([1-9]\d{0,3})", str(arguments.values["output_mode"]))
    if found is None:
        raise arguments.refuse("output_mode", "should be pts3d+desc<channels>")
    if conf is None:
        raise arguments.refuse("conf_mode", "a network with descriptors needs a confidence")
    arguments.read("desc_mode", choice("norm"))
    own = arguments.read("two_confs", flag)
    named = arguments.values["desc_conf_mode"] is not None
    desc_conf = arguments.mode("desc_conf_mode", ("exp", "sigmoid")) if named else conf
    return OutputModes(depth, conf, int(found[1]), desc_conf if own else None)


def _image_size(arguments: _Arguments) -> tuple[int, int]:
    match arguments.values["img_size"]:
        case int(side) if 0 < side <= _MOST_SIDE:
            return side, side
        case [int(first), int(second)] if 0 < min(first, second) <= max(first, second) <= _MOST_SIDE:
            return first, second
    raise arguments.refuse("img_size", f"should be one or two whole numbers up to {_MOST_SIDE}")


def _rope_base(arguments: _Arguments) -> float:
    found = re.fullmatch(r"RoPE(\d{1,9}(?:\.\d{1,9})?)", str(arguments.values["pos_embed"]))
    if found is None or float(found[1]) <= 0:
        raise arguments.refuse(
            "pos_embed", "a pair network has rotary positions (RoPE100); others exist in pretraining only"
        )
    return float(found[1])
