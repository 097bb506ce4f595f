"""Constructor strings and configurations: parsed, checked, never run."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import constructor_arguments, model_string, tiny_config

from masks.errors import FormatError
from pairs.networks.dust3r.config import DptWidths, HeadType, NetworkConfig, StackConfig
from pairs.networks.dust3r.constructor import config_from_json, config_from_string, loaded_form

PUBLISHED = (
    "AsymmetricMASt3R(enc_depth=24, dec_depth=12, enc_embed_dim=1024, dec_embed_dim=768, enc_num_heads=16, "
    "dec_num_heads=12, pos_embed='RoPE100', "
    "patch_embed_cls='ManyAR_PatchEmbed', img_size=(512, 512), head_type='catmlp+dpt', "
    "output_mode='pts3d+desc24', depth_mode=('exp', -inf, inf), "
    "conf_mode=('exp', 1, inf), two_confs=True, desc_conf_mode=('exp', 0, inf))"
)


def stored_form(head: HeadType) -> NetworkConfig:
    """Return the tiny configuration as a file states it: DPT widths are not in it, orientations are those of
    training.
    """
    config = tiny_config(head)
    return replace(config, dpt=config.dpt and DptWidths(), mixed_orientation=True, landscape_outputs=True)


def refuses(text: str) -> str:
    with pytest.raises(FormatError, match=r"^net\.pth: ") as refusal:
        config_from_string(text, "net.pth")
    return str(refusal.value)


def test_the_published_string_is_the_published_network():
    config = config_from_string(PUBLISHED, "net.pth")
    assert config.kind == "mast3r"
    assert config.encoder == StackConfig(1024, 24, 16)
    assert config.decoder == StackConfig(768, 12, 12)
    assert config.outputs.desc_dim == 24
    assert config.outputs.desc_conf == ("exp", 0.0, math.inf)
    assert config.mixed_orientation
    assert config.landscape_outputs
    assert loaded_form(config) == replace(config, mixed_orientation=False, landscape_outputs=False)


@given(st.permutations(list(constructor_arguments(tiny_config()).items())))
def test_the_order_of_arguments_is_free(items):
    text = f"AsymmetricMASt3R({', '.join(f'{name}={value!r}' for name, value in items)})"
    assert config_from_string(text, "net.pth") == stored_form("catmlp+dpt")


@pytest.mark.parametrize("head", ["linear", "dpt", "catmlp+dpt"])
def test_a_json_configuration_means_the_same_as_the_string(head: HeadType):
    config = tiny_config(head)
    from_json = config_from_json(json.loads(json.dumps(constructor_arguments(config))), "config.json")
    assert from_json == config_from_string(model_string(config), "net.pth") == stored_form(head)


def test_arguments_that_are_absent_have_the_constructors_defaults():
    config = config_from_string("AsymmetricCroCo3DStereo(pos_embed='RoPE100')", "net.pth")
    assert (config.encoder, config.decoder) == (StackConfig(768, 12, 12), StackConfig(512, 8, 16))
    assert config.head == "linear"
    assert config.landscape_outputs
    assert not config.mixed_orientation
    assert config.image_size == (224, 224)


def test_the_confidence_of_descriptors_falls_back_to_that_of_the_points():
    def outputs(**changed):
        return config_from_string(
            model_string(tiny_config(), conf_mode=("exp", 1, 5.0), **changed), "net.pth"
        ).outputs

    assert outputs(desc_conf_mode=None).desc_conf == ("exp", 1.0, 5.0)
    assert outputs(two_confs=False).desc_conf is None


@pytest.mark.parametrize(
    "value",
    [
        "__import__('os').getcwd()",
        "().__class__",
        "[x for x in (1,)]",
        "open('x')",
        "1+1",
        "lambda: 1",
        "f'{1}'",
        "b'x'",
        "-'x'",
        "nan",
    ],
)
def test_nothing_but_plain_values_is_accepted(value):
    assert "no plain value" in refuses(f"AsymmetricMASt3R(enc_depth={value})")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "AsymmetricMASt3R",
        "AsymmetricMASt3R(2)",
        "AsymmetricMASt3R(**{})",
        "a.b(c=1)",
        "x(",
        "\0",
        "(" * 9000,
        "-" * 9000 + "1",
    ],
)
def test_anything_but_one_constructor_with_keywords_is_refused(text):
    assert "model string" in refuses(text)


def test_a_string_without_end_is_refused_before_it_is_parsed():
    assert "characters long" in refuses("x" * 1_000_000)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"head_type": "catconv"}, r"head_type='catconv': should be one of linear, dpt, catmlp\+dpt"),
        ({"head_type": "dpt"}, "does not belong to MASt3R"),
        ({"head_type": ["dpt"]}, "head_type"),
        ({"output_mode": "pts3d"}, "output_mode='pts3d'"),
        ({"output_mode": "pts3d+desc0"}, "output_mode"),
        ({"patch_embed_cls": "DunePatchEmbed"}, "patch_embed_cls"),
        ({"pos_embed": "cosine"}, "rotary"),
        ({"depth_mode": ("exp", 0, 10)}, "bounds of depth"),
        ({"depth_mode": ("cube", -math.inf, math.inf)}, "exp, square, linear"),
        ({"conf_mode": ("exp", 5, 1)}, "conf_mode"),
        ({"conf_mode": None}, "needs a confidence"),
        ({"desc_mode": "none"}, "desc_mode"),
        ({"enc_depth": 0}, "enc_depth=0"),
        ({"enc_depth": True}, "enc_depth=True"),
        ({"dec_depth": 10**9}, "from 1 to 200"),
        ({"enc_embed_dim": 10**9}, "enc_embed_dim"),
        ({"enc_embed_dim": 18}, "multiple of 8 channels"),
        ({"mlp_ratio": -1}, "mlp_ratio"),
        ({"img_size": "big"}, "img_size"),
        ({"adapter": 1, "lora": 2}, "unknown arguments of the network: adapter, lora"),
    ],
)
def test_what_cannot_be_built_is_named(changed, named):
    with pytest.raises(FormatError, match=named):
        config_from_string(model_string(tiny_config(), **changed), "net.pth")


def test_another_network_is_named_by_its_class():
    assert "class VGGT" in refuses("VGGT(img_size=518)")


@pytest.mark.parametrize("given", [[], None, "x", 3])
def test_a_json_configuration_is_one_object(given):
    with pytest.raises(FormatError, match="one object"):
        config_from_json(given, "config.json")
