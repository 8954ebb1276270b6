"""Presets and the values that replace theirs."""

from __future__ import annotations

import dataclasses

import pytest

from omniaudio_studio.errors import OptionError
from omniaudio_studio.training.presets import PRESETS, load_preset


def test_values_are_replaced_and_nothing_else() -> None:
    usual = load_preset("starter")
    changed = load_preset(
        "starter",
        [
            "finetune.steps=7",
            "vae.rate=2",
            "vision.precision=bf16",
            "scenes.motion=still",
            "window=32",
            "cfg=1.5",
        ],
    )
    assert changed == dataclasses.replace(
        usual,
        finetune=dataclasses.replace(usual.finetune, steps=7),
        vae=dataclasses.replace(usual.vae, rate=2.0),
        vision=dataclasses.replace(usual.vision, precision="bf16"),
        scenes=dataclasses.replace(usual.scenes, motion="still"),
        window=32,
        cfg=1.5,
    )
    # Whole numbers stand for floats where a float is asked for.
    assert type(changed.vae.rate) is float
    assert load_preset("starter") == usual == PRESETS["starter"]


def test_the_last_of_two_values_counts() -> None:
    assert load_preset("debug", ["vae.steps=5", "vae.steps=6"]).vae.steps == 6


def test_text_may_look_like_a_number() -> None:
    assert load_preset("debug", ["scenes.motion=3"]).scenes.motion == "3"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_fit_together(name: str) -> None:
    preset = PRESETS[name]
    if preset.paper is not None:
        dit, vae = preset.paper.dit, preset.paper.vae.vae
        assert dit.channels == vae.latent and dit.width % dit.heads == 0
        assert preset.vae.length * vae.hop > max(preset.paper.vae.windows) // 2
        return
    assert 0 < preset.overlap < preset.window
    assert preset.networks.dit_width % (2 * preset.networks.dit_heads) == 0
    # Scenes are at least as long as the longest excerpt (12.5 latents and so many frames a second).
    assert preset.scenes.seconds * 12.5 >= max(preset.vae.length, preset.finetune.length)
    assert preset.scenes.seconds * preset.feature_rate >= preset.vision.length
    # The flow learns windows of the length that it will generate.
    assert preset.finetune.length == preset.window


@pytest.mark.parametrize(
    ("name", "override", "said"),
    [
        ("stater", "", "unknown preset 'stater': choose one of debug, debug-paper, "),
        (
            "debug",
            "finetune.steps",
            "expected key=value, as in finetune.steps=500, found ",
        ),
        (
            "debug",
            "finetune.stepz=3",
            "unknown setting 'finetune.stepz': 'stepz' is not one",
        ),
        ("debug", "flaw.steps=3", "unknown setting 'flaw.steps': 'flaw' is not one of scenes, "),
        ("debug", "=3", "unknown setting '': '' is not one of scenes, "),
        (
            "debug",
            "finetune=3",
            "'finetune' is a group of settings: name one, as in finetune.seed=1",
        ),
        ("debug", "window.steps=3", "unknown setting 'window.steps': 'window' has no settings of"),
        (
            "debug",
            "finetune.steps.more=3",
            "unknown setting 'finetune.steps.more': 'steps' has no",
        ),
        ("debug", "finetune.steps=many", "finetune.steps: expected a value like 3, found 'many'"),
        ("debug", "finetune.steps=", "finetune.steps: expected a value like 3, found ''"),
        ("debug", "finetune.steps=2.5", "finetune.steps: expected a value like 3, found '2.5'"),
        ("debug", "finetune.steps=true", "finetune.steps: expected a value like 3, found 'true'"),
        ("debug", "seen=all", "seen is 'all': choose one of both, front, panorama, pooled"),
        ("debug", "scenes.seed=1.5", "scenes.seed: expected a value like 1, found '1.5'"),
        ("debug", "finetune.rate=true", "finetune.rate: expected a value like 0.001, found 'true'"),
        ("debug", "finetune.rate=[1]", "finetune.rate: expected a value like 0.001, found '[1]'"),
        (
            "debug",
            "finetune.rate=NaN",
            "finetune.rate: expected a finite number, at least 0, found ",
        ),
        (
            "debug",
            "finetune.rate=1e999",
            "finetune.rate: expected a finite number, at least 0, found ",
        ),
        ("debug", "vae.seed=-1", "vae.seed: expected a finite number, at least 0, found '-1'"),
    ],
)
def test_a_mistake_is_one_line(name: str, override: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        load_preset(name, [override] if override else None)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
