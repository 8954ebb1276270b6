"""What a released checkpoint's `config.json` says of its networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniaudio_studio.bundles.fields import Fields, read_fields
from omniaudio_studio.training.networks.oobleck import OobleckConfig
from omniaudio_studio.training.networks.released_dit import ROTARY, ReleasedConfig


@dataclass(frozen=True)
class ReleasedSetup:
    """Sizes of everything, and ``seconds`` of sound that it was trained on at ``sample_rate``."""

    dit: ReleasedConfig = field(default_factory=ReleasedConfig)
    vae: OobleckConfig = field(default_factory=OobleckConfig)
    sample_rate: int = 44_100
    samples: int = 441_000

    @property
    def window(self) -> int:
        """Whole latents of the trained length."""
        return self.samples // self.vae.hop


def read_setup(path: Path) -> ReleasedSetup:
    """The setup in a `config.json` of the official schema.

    Raises
    ------
    BundleError
        If it is no JSON, a value is missing or of another kind, or the networks that it describes
        are others than the released ones.
    """
    whole = read_fields(path)
    model = whole.section("model")
    pretransform = model.section("pretransform").section("config")
    encoder = pretransform.section("encoder").section("config")
    decoder = pretransform.section("decoder").section("config")
    diffusion = model.section("diffusion")
    dit = diffusion.section("config")
    for part, name, expected in (
        (diffusion, "diffusion_objective", "rectified_flow"),
        (dit, "transformer_type", "continuous_transformer"),
    ):
        part.choice(name, (expected,))
    audio = decoder.integer("out_channels", minimum=1, maximum=64)
    if audio != 4:
        decoder.fail("out_channels", "4 (first-order ambisonics)", audio)
    vae = OobleckConfig(
        audio=audio,
        width=decoder.integer("channels", minimum=1, maximum=1024),
        multiples=_numbers(decoder, "c_mults"),
        strides=_numbers(decoder, "strides"),
        latent=decoder.integer("latent_dim", minimum=1, maximum=4096),
    )
    same = {
        "in_channels": vae.audio,
        "channels": vae.width,
        "latent_dim": 2 * vae.latent,
    }
    for name, value in same.items():
        found = encoder.integer(name, minimum=1)
        if found != value:
            encoder.fail(name, f"{value}, as for the decoder", found)
    width = dit.integer("embed_dim", minimum=1, maximum=1 << 16)
    heads = dit.integer("num_heads", minimum=1, maximum=1024)
    if width % heads or width // heads < ROTARY:
        dit.fail("num_heads", f"a divisor of {width} that leaves {ROTARY} or more", heads)
    channels = dit.integer("io_channels", minimum=1, maximum=4096)
    if channels != vae.latent:
        dit.fail("io_channels", f"{vae.latent}, the width of the latents", channels)
    return ReleasedSetup(
        dit=ReleasedConfig(
            channels=channels,
            features=_features(model, width),
            width=width,
            depth=dit.integer("depth", minimum=1, maximum=1024),
            heads=heads,
        ),
        vae=vae,
        sample_rate=whole.integer("sample_rate", minimum=1000, maximum=768_000),
        samples=whole.integer("sample_size", minimum=8 * vae.hop, maximum=1 << 32),
    )


def _numbers(fields: Fields, name: str) -> tuple[int, ...]:
    values: Any = fields.raw(name)
    whole = isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1024
        for value in values
    )
    if not whole or len(values) != 5:
        fields.fail(name, "a list of five whole numbers", values)
    return tuple(values)


def _features(model: Fields, width: int) -> int:
    """Width of a picture's features; both views have one."""
    found = {}
    for item in model.section("conditioning").sections("configs"):
        config = item.section("config")
        found[item.text("id")] = config.integer("dim", minimum=1, maximum=1 << 16)
        if config.integer("output_dim") != width:
            config.fail("output_dim", f"{width}, as the transformer", config.integer("output_dim"))
    if set(found) != {"video_fov", "video_360"} or len(set(found.values())) != 1:
        model.fail(
            "conditioning.configs", "video_fov and video_360, of one dim", sorted(found) or None
        )
    return found["video_360"]
