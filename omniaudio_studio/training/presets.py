"""What a training run is made of: named presets, and single values set from the command line."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.training.networks.conditioner import SEEN
from omniaudio_studio.training.networks.discriminators import DiscriminatorConfig
from omniaudio_studio.training.networks.oobleck import OobleckConfig
from omniaudio_studio.training.networks.released_dit import LARGE, MEDIUM, SMALL, ReleasedConfig
from omniaudio_studio.training.paper import Paper
from omniaudio_studio.training.stages.oobleck import OobleckSetup


@dataclass(frozen=True)
class SceneSetup:
    """The synthetic scenes that everything is trained on. Times in seconds; ``distractors``,
    ``restyled`` and ``solids`` are probabilities (`datasets.scene.sample_scene`), ``sheets`` counts
    the panoramas of many drawings that names are learnt from."""

    count: int = 2000
    seconds: float = 8.0
    seed: int = 1
    min_sources: int = 1
    max_sources: int = 3
    motion: str = "mixed"
    distractors: float = 0.0
    restyled: float = 0.0
    solids: float = 0.0
    sheets: int = 0


@dataclass(frozen=True)
class StageSetup:
    """One stage's optimisation by AdamW. ``batch`` counts the samples of a step over all devices;
    ``length`` is the excerpt in latent frames (vae, pretrain, finetune) or picture frames (vision,
    spatializer); ``precision`` is one of `machine.PRECISIONS`; ``ema`` 0 keeps no average."""

    steps: int = 1000
    batch: int = 16
    length: int = 25
    rate: float = 1e-3
    warmup: int = 100
    ema: float = 0.999
    seed: int = 0
    precision: str = "32"
    beta2: float = 0.98
    weight_decay: float = 0.01


@dataclass(frozen=True)
class Networks:
    """Widths and depths of the networks (see `training.networks`)."""

    frame_width: int = 256
    latent_width: int = 320
    content: int = 40
    spatial: int = 24
    stem: int = 32
    vision_depth: int = 4
    dit_width: int = 256
    dit_depth: int = 8
    dit_heads: int = 4
    spatial_cells: int = 48
    spatial_stem: int = 16
    spatial_width: int = 160


@dataclass(frozen=True)
class Preset:
    """Everything that a run can be told."""

    scenes: SceneSetup = field(default_factory=SceneSetup)
    networks: Networks = field(default_factory=Networks)
    #: The paper's networks in place of the starter's.
    paper: Paper | None = None
    vae: StageSetup = field(default_factory=StageSetup)
    #: The paper's VAE only: its decoder goes on alone, on latents of which a part is masked.
    decoder: StageSetup = field(default_factory=lambda: StageSetup(steps=0))
    vision: StageSetup = field(default_factory=StageSetup)
    #: Masked flow matching without pictures, on other sound first (coarse), then on fields; 0 steps
    #: leave it out.
    coarse: StageSetup = field(default_factory=StageSetup)
    pretrain: StageSetup = field(default_factory=StageSetup)
    finetune: StageSetup = field(default_factory=StageSetup)
    #: The flow straightened for few steps, on samples of its own; 0 steps leave it out.
    reflow: StageSetup = field(default_factory=StageSetup)
    #: How many of its samples.
    reflow_pairs: int = 4000
    spatializer: StageSetup = field(default_factory=StageSetup)
    #: Of the evaluation: names classes of sounds; ``length`` in frames of 13.3 ms.
    tagger: StageSetup = field(
        default_factory=lambda: StageSetup(
            steps=1400, batch=24, length=256, rate=2e-3, warmup=50, ema=0.995
        )
    )
    #: Latent frames of a generated window, and of the overlap between windows.
    window: int = 64
    #: (14 of 64 at 12.5 per second: windows start on picture frames, so features are shared.)
    overlap: int = 14
    #: What of the views the flow is told of, for comparisons: one of `networks.conditioner.SEEN`.
    seen: str = "both"
    #: How often each scene is encoded, each time turned another way.
    yaws: int = 1
    #: Video frames per second that the vision encoder sees.
    feature_rate: float = 8.0
    #: How often the condition is hidden, so that guidance has something to guide from.
    guidance_dropout: float = 0.15
    #: How often the first latents are given as context, as in consecutive windows.
    context_probability: float = 0.3
    #: How often pre-training is given a part of the latents, and the shortest stretch that it has
    #: to find, in latent frames.
    masking_probability: float = 0.1
    masking_span: int = 10
    #: Sampler defaults written into the bundle.
    cfg: float = 4.0
    sample_steps: int = 24


def _paper(dit: ReleasedConfig) -> Preset:
    """The paper's recipe: rates, dropout and masking are its own; batches and steps are ours, for a
    few large devices."""
    flow = StageSetup(
        steps=100_000, batch=64, length=215, rate=5e-5, warmup=2000, ema=0.9999,
        precision="bf16", beta2=0.999, weight_decay=1e-3,
    )  # fmt: skip
    vae = StageSetup(
        steps=300_000, batch=32, length=32, rate=3e-5, warmup=1000, ema=0.9999,
        precision="bf16", beta2=0.99, weight_decay=1e-3,
    )  # fmt: skip
    return Preset(
        paper=Paper(dit),
        vae=vae,
        decoder=dataclasses.replace(vae, steps=100_000),
        coarse=flow,
        pretrain=flow,
        finetune=flow,
        reflow=dataclasses.replace(flow, steps=30_000, warmup=500),
        reflow_pairs=50_000,
        window=215,
        overlap=32,
        guidance_dropout=0.2,
        context_probability=0.0,
        masking_probability=0.1,
        masking_span=10,
        cfg=5.0,
        sample_steps=24,
    )


PRESETS: dict[str, Preset] = {
    "large": _paper(LARGE),
    "medium": _paper(MEDIUM),
    "small": _paper(SMALL),
    "starter": Preset(
        scenes=SceneSetup(distractors=0.3, restyled=0.5, solids=0.4, sheets=2000),
        feature_rate=12.5,
        vae=StageSetup(steps=2000, batch=16, length=20, rate=1e-3, warmup=100, ema=0.995),
        vision=StageSetup(steps=2500, batch=6, length=16, rate=1.5e-3, warmup=100, ema=0.995),
        coarse=StageSetup(steps=0, batch=24, length=64, rate=1e-3, warmup=200, ema=0.999),
        pretrain=StageSetup(steps=0, batch=24, length=64, rate=1e-3, warmup=200, ema=0.999),
        finetune=StageSetup(steps=3600, batch=24, length=64, rate=1e-3, warmup=200, ema=0.999),
        reflow=StageSetup(steps=1500, batch=24, length=64, rate=5e-4, warmup=100, ema=0.998),
        spatializer=StageSetup(steps=3000, batch=8, length=32, rate=1e-3, warmup=200, ema=0.998),
    ),
    # Every stage in seconds, for the tests: the code paths of the starter, nothing worth hearing.
    "debug": Preset(
        scenes=SceneSetup(
            count=3, seconds=2.0, distractors=0.5, restyled=0.5, solids=0.5, sheets=3
        ),
        networks=Networks(
            frame_width=32,
            latent_width=32,
            content=8,
            spatial=8,
            stem=8,
            vision_depth=1,
            dit_width=32,
            dit_depth=1,
            dit_heads=2,
            spatial_cells=16,
            spatial_stem=4,
            spatial_width=32,
        ),
        vae=StageSetup(steps=3, batch=2, length=4, warmup=1),
        vision=StageSetup(steps=3, batch=2, length=4, warmup=1),
        coarse=StageSetup(steps=2, batch=2, length=16, warmup=1),
        pretrain=StageSetup(steps=3, batch=2, length=16, warmup=1),
        finetune=StageSetup(steps=3, batch=2, length=16, warmup=1),
        reflow=StageSetup(steps=3, batch=2, length=16, warmup=1),
        reflow_pairs=5,
        spatializer=StageSetup(steps=3, batch=2, length=8, warmup=1),
        tagger=StageSetup(steps=2, batch=2, length=32, warmup=1),
        window=16,
        overlap=4,
        masking_span=3,
        sample_steps=4,
    ),
}

#: The paper's recipe at sizes for a test: every code path, nothing worth hearing.
PRESETS["debug-paper"] = dataclasses.replace(
    PRESETS["small"],
    paper=Paper(
        ReleasedConfig(channels=8, features=16, width=64, depth=1, heads=1),
        OobleckSetup(
            vae=OobleckConfig(width=4, multiples=(1, 2, 4), strides=(2, 4, 8), latent=8),
            windows=(256, 128),
            discriminators=DiscriminatorConfig(filters=4, windows=(256, 128)),
        ),
    ),
    vae=StageSetup(steps=2, batch=2, length=16, warmup=1),
    decoder=StageSetup(steps=2, batch=2, length=16, warmup=1),
    coarse=StageSetup(steps=2, batch=2, warmup=1),
    pretrain=StageSetup(steps=2, batch=2, warmup=1),
    finetune=StageSetup(steps=2, batch=2, warmup=1),
    reflow=StageSetup(steps=2, batch=2, warmup=1),
    reflow_pairs=3,
    masking_span=3,
)


def load_preset(name: str, overrides: list[str] | None = None) -> Preset:
    """A preset with values replaced, each given as ``key=value`` or ``stage.key=value``.

    Raises
    ------
    OptionError
        If the preset, a key or the kind of a value is unknown, or a number is below 0.
    """
    if name not in PRESETS:
        raise OptionError(f"unknown preset {name!r}: choose one of {', '.join(sorted(PRESETS))}")
    preset = PRESETS[name]
    for override in overrides or []:
        key, separator, value = override.partition("=")
        if not separator:
            raise OptionError(f"expected key=value, as in finetune.steps=500, found {override!r}")
        preset = _replaced(preset, key.split("."), value, key)
    if preset.seen not in SEEN:
        raise OptionError(f"seen is {preset.seen!r}: choose one of {', '.join(SEEN)}")
    return preset


def preset_of_run(run: Path, overrides: Sequence[str] = ()) -> Preset:
    """The preset that a run folder's run.json records, with more values replaced.

    Raises
    ------
    MissingFileError, MediaError
        If there is none, or it cannot be read.
    """
    noted = run / "run.json"
    if not noted.is_file():
        raise MissingFileError(f"{run} is no run folder: it has no run.json; train something first")
    try:
        recorded = json.loads(noted.read_text())
        return load_preset(recorded["preset"], [*recorded["overrides"], *overrides])
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{noted} cannot be read ({error}); train a stage again") from error


def _replaced(node: Any, path: list[str], value: str, full: str) -> Any:
    names = [f.name for f in dataclasses.fields(node)]
    if path[0] not in names:
        known = ", ".join(names)
        raise OptionError(f"unknown setting {full!r}: {path[0]!r} is not one of {known}")
    old = getattr(node, path[0])
    if old is None:
        raise OptionError(f"unknown setting {full!r}: this preset has no {path[0]}")
    if dataclasses.is_dataclass(old):
        if len(path) == 1:
            raise OptionError(f"{full!r} is a group of settings: name one, as in {full}.seed=1")
        return dataclasses.replace(node, **{path[0]: _replaced(old, path[1:], value, full)})
    if len(path) > 1:
        raise OptionError(f"unknown setting {full!r}: {path[0]!r} has no settings of its own")
    try:
        new = json.loads(value) if not isinstance(old, str) else value
    except json.JSONDecodeError as error:
        raise OptionError(f"{full}: expected a value like {old!r}, found {value!r}") from error
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if isinstance(old, tuple) and isinstance(new, list):
        new = tuple(new)
    if type(new) is not type(old):
        raise OptionError(f"{full}: expected a value like {old!r}, found {value!r}")
    if isinstance(new, int | float) and not 0 <= new < math.inf:
        raise OptionError(f"{full}: expected a finite number, at least 0, found {value!r}")
    return dataclasses.replace(node, **{path[0]: new})
