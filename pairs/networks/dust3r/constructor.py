"""The arguments that a checkpoint was built with: the constructor string of a `.pth` file, the `config.json`
of a Hugging Face folder.

Neither is ever evaluated (docs/pair_networks.md, "Checkpoint files"). Of the arguments that are absent, the
constructors' defaults hold.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from masks.errors import FormatError
from masks.notice import first_few
from pairs.networks.dust3r.config import DptWidths, HeadType, Mode, NetworkConfig, OutputModes, StackConfig

Kind = Literal["dust3r", "mast3r"]
_T = TypeVar("_T")

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
_MOST_CHARACTERS, _MOST_DEPTH, _MOST_CHANNELS = 10_000, 200, 16_384


def config_from_string(text: str, source: str) -> NetworkConfig:
    """Return the configuration that a constructor string such as "AsymmetricMASt3R(enc_depth=24, ...)" stands
    for.

    `source` is the file that messages name. Raises `FormatError` for anything but one call of a known class
    with literal keyword arguments.
    """
    if len(text) > _MOST_CHARACTERS:
        raise FormatError(
            f"{source}: its model string is {len(text)} characters long: this is no checkpoint of a pair "
            "network."
        )
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormatError(
            f"{source}: its model string cannot be read ({text[:80]!r}): this is no checkpoint of a pair "
            "network."
        ) from error
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise FormatError(
            f"{source}: its model string is not a constructor with keyword arguments ({text[:80]!r}). Use "
            "a published checkpoint."
        )
    if call.func.id not in _KINDS:
        raise FormatError(
            f"{source}: holds a network of class {call.func.id}; {' and '.join(_KINDS)} are known. Use a "
            "DUSt3R or MASt3R checkpoint."
        )
    given = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise FormatError(
                f"{source}: its model string unpacks arguments ({text[:80]!r}). Use a published checkpoint."
            )
        given[keyword.arg] = _literal(keyword.value, source)
    return _config(_KINDS[call.func.id], given, source)


def config_from_json(given: object, source: str) -> NetworkConfig:
    """Return the configuration that the flat constructor arguments of a Hugging Face folder stand for.
    Descriptors tell the two papers apart.
    """
    if not isinstance(given, Mapping):
        raise FormatError(
            f"{source}: should hold one object with the network's arguments. Download the folder again."
        )
    described = "desc" in str(given.get("output_mode"))
    return _config(
        "mast3r" if described else "dust3r", {str(name): value for name, value in given.items()}, source
    )


def loaded_form(config: NetworkConfig) -> NetworkConfig:
    """Return the configuration in which checkpoints are used: images of any orientation as they lie
    (docs/pair_networks.md, "Checkpoint files").
    """
    return replace(config, mixed_orientation=False, landscape_outputs=False)


def _literal(node: ast.expr, source: str) -> Any:
    """Return the value of a literal; the name `inf` is the number."""
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str()):
            return node.value
        case ast.Name(id="inf"):
            return math.inf
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _literal(operand, source)
            if isinstance(value, int | float):
                return -value
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(_literal(element, source) for element in elements)
    raise FormatError(
        f"{source}: its model string holds {ast.unparse(node)[:80]!r}, which is no plain value. Use a "
        "published checkpoint."
    )


@dataclass(frozen=True, slots=True)
class _Arguments:
    """Given values over defaults; reading one checks it."""

    values: Mapping[str, Any]
    source: str

    def refuse(self, name: str, why: str) -> FormatError:
        return FormatError(
            f"{self.source}: {name}={self.values[name]!r}: {why}. Use a published DUSt3R or MASt3R "
            "checkpoint."
        )

    def one_of(self, name: str, known: Mapping[Any, _T]) -> _T:
        value = self.values[name]
        if not isinstance(value, str | bool) or value not in known:
            raise self.refuse(name, f"only {', '.join(map(str, known))} can be used")
        return known[value]

    def count(self, name: str, most: int) -> int:
        value = self.values[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise self.refuse(name, f"should be a whole number from 1 to {most}")
        return value

    def number(self, name: str, most: float) -> float:
        value = self.values[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
            raise self.refuse(name, f"should be a positive number up to {most:g}")
        return float(value)

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
    head, head_kind = arguments.one_of("head_type", _HEADS)
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
        patch_size=arguments.count("patch_size", 64),
        mlp_ratio=arguments.number("mlp_ratio", 16),
        norm_memory=arguments.one_of("norm_im2_in_dec", {True: True, False: False}),
        rope_base=_rope_base(arguments),
        mixed_orientation=arguments.one_of("patch_embed_cls", _PATCHES),
        landscape_outputs=arguments.one_of("landscape_only", {True: True, False: False}),
    )


def _stack(arguments: _Arguments, side: str) -> StackConfig:
    dim = arguments.count(f"{side}_embed_dim", _MOST_CHANNELS)
    stack = StackConfig(
        dim, arguments.count(f"{side}_depth", _MOST_DEPTH), arguments.count(f"{side}_num_heads", dim)
    )
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
        arguments.one_of("output_mode", {"pts3d": None})
        return OutputModes(depth, conf)
    found = re.fullmatch(r"pts3d\+desc([1-9]\d{0,3})", str(arguments.values["output_mode"]))
    if found is None:
        raise arguments.refuse("output_mode", "should be pts3d+desc<channels>")
    if conf is None:
        raise arguments.refuse("conf_mode", "a network with descriptors needs a confidence")
    arguments.one_of("desc_mode", {"norm": None})
    own = arguments.one_of("two_confs", {True: True, False: False})
    named = arguments.values["desc_conf_mode"] is not None
    desc_conf = arguments.mode("desc_conf_mode", ("exp", "sigmoid")) if named else conf
    return OutputModes(depth, conf, int(found[1]), desc_conf if own else None)


def _image_size(arguments: _Arguments) -> tuple[int, int]:
    match arguments.values["img_size"]:
        case int(side) if side > 0:
            return side, side
        case [int(first), int(second)] if min(first, second) > 0:
            return first, second
    raise arguments.refuse("img_size", "should be one or two whole numbers")


def _rope_base(arguments: _Arguments) -> float:
    found = re.fullmatch(r"RoPE(\d+(?:\.\d+)?)", str(arguments.values["pos_embed"]))
    if found is None or float(found[1]) <= 0:
        raise arguments.refuse(
            "pos_embed", "a pair network has rotary positions (RoPE100); others exist in pretraining only"
        )
    return float(found[1])
