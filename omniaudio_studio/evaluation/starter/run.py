"""Everything that is asked of a bundle, in one seeded run.

Every scene is rendered to a 360 video file, and the engine generates from that file as from any
clip. What it made is compared with the scene: directions, two sources at once, class of the sound,
onsets. Beside it stand the true field (what the measures themselves cost, reflections included),
the VAE's reconstruction of the true field (the best that any latent could do), a random direction,
"always in front" and W alone; on request another sampler, other guidance and other bundles.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omniaudio_studio.datasets.conditioning import RATE, decode
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import Motion
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import OptionError
from omniaudio_studio.evaluation.metrics import statistics
from omniaudio_studio.evaluation.scenes import FRAME_SECONDS, check_options
from omniaudio_studio.evaluation.starter.job import KINDS, Job, makers_of
from omniaudio_studio.evaluation.starter.kinds import draw_scenes
from omniaudio_studio.evaluation.starter.report import Report, Tally
from omniaudio_studio.evaluation.starter.subject import Subject
from omniaudio_studio.evaluation.tagging import Tagger
from omniaudio_studio.files import mark_temporary

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.engine.plan import GenerationSettings

PARTS = {
    "directions": "direction of one source",
    "two": "two sources at once",
    "class": "class of the sound",
    "onset": "onsets of visible events",
    "vae": "the VAE alone, against Opus and no bottleneck",
    "few": "another sampler",
    "guidance": "the guidance curve",
}
GUIDANCE = (1.0, 3.0, 5.0, 7.0, 9.0)
FEW_STEPS = 6


def evaluate_starter(
    bundle: Bundle | str | Path,
    *,
    sounds: Path | None = None,
    panoramas: Path | None = None,
    panorama_names: Sequence[str] | None = None,
    sprites: Path | None = None,
    folds: Sequence[int] | None = (4,),
    count: int = 50,
    seed: int = 1000,
    seconds: float = 8.0,
    motion: Motion = "mixed",
    parts: Sequence[str] | None = None,
    cfg: float | None = None,
    steps: int | None = None,
    few: GenerationSettings | None = None,
    guidance: Sequence[float] = GUIDANCE,
    ablations: Mapping[str, Bundle | str | Path] | None = None,
    device: str = "auto",
    front: float | str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
) -> Report:
    """Measure what a bundle generates.

    Parameters
    ----------
    bundle
        A bundle, its name or its path.
    sounds, panoramas, panorama_names, sprites, folds
        Material, as for `datasets.library.MaterialLibrary`; none that the bundle was trained on.
        Without a sounds folder, procedural sounds serve and ``folds`` is not used.
    count, seed, seconds, motion
        How many scenes of each kind, from which seed, how long; whether single sources move.
    parts
        Of :data:`PARTS`; None for all that bundle and material allow.
    cfg, steps
        The bundle's own where None.
    few
        The second sampler: its steps, and whatever else differs; `FEW_STEPS` steps where None. Seed
        and front are the first one's, its CFG too where ``few`` has none.
    guidance
        The scales of the guidance curve.
    ablations
        Other bundles by name, measured on the same scenes by "directions", "two", "class" and
        "onset".
    device
        As for `engine.generate.Generator`.
    front
        Where the model's front view looks, as in a request: an azimuth in degrees, "auto", or
        straight ahead where None. "In front view" stays what is seen straight ahead.
    progress, cancel
        Told after each scene (in scenes), asked all the time.

    Returns
    -------
    Report

    Raises
    ------
    OmniAudioError
        One line each: bundle, material, option or a missing extra.
    """
    from omniaudio_studio.engine.plan import GenerationSettings, check_sampler

    check_options(count, seed, seconds)
    library = MaterialLibrary(
        sounds, panoramas, sprites, folds if sounds is not None else None, panorama_names
    )
    main = Subject(bundle, device, cancel)
    chosen, tagger = _chosen(parts, main, library)
    others = {name: Subject(each, device, cancel) for name, each in (ablations or {}).items()}
    first = GenerationSettings(cfg=cfg, steps=steps)
    second = few if few is not None else GenerationSettings(steps=FEW_STEPS)
    makers = makers_of(main, others, chosen, first, second, guidance)
    manifest = main.bundle.manifest
    for maker in makers:
        maker.settings.validate()
        its = maker.subject.bundle.manifest
        scale = its.sampler.cfg if maker.settings.cfg is None else maker.settings.cfg
        check_sampler(its, maker.settings.sampler, [scale])
    job = Job(library, main, makers, chosen, tagger, front, cancel)
    tally, rng = Tally(), np.random.default_rng([seed, 1])
    kinds = tuple(kind for kind, asking in KINDS.items() if asking & chosen)
    begun, total = time.monotonic(), len(kinds) * count
    with tempfile.TemporaryDirectory(prefix="omniaudio-evaluate-") as folder:
        mark_temporary(Path(folder))
        scenes = draw_scenes(library, kinds, count, seconds, seed, motion)
        for done, (kind, index, scene) in enumerate(scenes, 1):
            if cancel is not None:
                cancel.check()
            fields = job.fields(kind, index, scene, Path(folder) / "scene.mp4")
            tally.add(kind, scene, job.scores(kind, scene, fields, rng))
            if progress is not None:
                left = (time.monotonic() - begun) / done * (total - done)
                progress(Progress("scenes", float(done), float(total), left))
    used_cfg = manifest.sampler.cfg if cfg is None else cfg
    settings = {
        "bundle": main.bundle.name,
        "bundle_sha256": main.bundle.sha256,
        "count": count,
        "seed": seed,
        "seconds": seconds,
        "motion": motion,
        "parts": [part for part in PARTS if part in chosen],
        "cfg": used_cfg,
        "steps": manifest.sampler.steps if steps is None else steps,
        "few": {
            "sampler": second.sampler,
            "steps": second.steps or manifest.steps_of(second.sampler),
            "cfg": used_cfg if second.cfg is None else second.cfg,
        }
        if "few" in chosen
        else None,
        "ablations": {name: each.bundle.sha256 for name, each in others.items()},
        "front": front,
        "frame_seconds": FRAME_SECONDS,
        "folds": None if sounds is None or folds is None else list(folds),
        "panoramas": None if panorama_names is None else list(panorama_names),
        "classes": list(library.classes),
    }
    return Report(
        rows=tally.rows(),
        settings=settings,
        speed=job.made_seconds / job.working if job.working else 0.0,
        provider=main.generator.provider.provider,
        bits={name: float(np.mean(values)) for name, values in job.bits.items()},
        tagger={} if tagger is None else _accuracy(tagger, library, cancel),
        scenes=tally.scenes,
    )


def _chosen(
    asked: Sequence[str] | None, main: Subject, library: MaterialLibrary
) -> tuple[set[str], Tagger | None]:
    """The parts to be measured, and the tagger where it knows the library's classes."""
    for part in asked or ():
        if part not in PARTS:
            raise OptionError(f"parts are {', '.join(PARTS)}; found {part!r}")
    if asked is not None and not asked:
        raise OptionError(f"expected one part or more of {', '.join(PARTS)}; found none")
    tagger = None
    if library.sounds is not None and (asked is None or {"class", "few", "guidance"} & set(asked)):
        loaded = Tagger()
        if set(library.classes) <= set(loaded.classes):
            tagger = loaded
    if asked is not None and "class" in asked and tagger is None:
        raise OptionError(
            "the part class needs recordings (--sounds) of classes that the tagger knows; found "
            f"{', '.join(library.classes)}; leave it out, or give others"
        )
    drops = bool(main.bundle.manifest.guidance.drop)
    for part, possible, lacks in (
        ("vae", main.encodes, "a VAE encoder"),
        ("guidance", drops, "an unconditional branch to guide from"),
    ):
        if asked is not None and part in asked and not possible:
            raise OptionError(
                f"the bundle {main.bundle.name!r} lacks {lacks}; leave the part {part} out"
            )
    if asked is not None:
        return set(asked), tagger
    can = {"directions", "onset", "few"}
    can |= {"two"} if len(library.classes) > 1 else set()
    can |= {"class"} if tagger is not None else set()
    can |= {"vae"} if main.encodes else set()
    can |= {"guidance"} if drops else set()
    return can, tagger


def _accuracy(
    tagger: Tagger, library: MaterialLibrary, cancel: CancelToken | None
) -> dict[str, Any]:
    """How often the tagger names the library's own recordings right, as they are, pauses too."""
    right = []
    for name in library.classes:
        for path in library.recordings(name):
            if cancel is not None:
                cancel.check()
            right.append(float(tagger.name(decode(path), RATE) == name))
    found = statistics(right)
    assert found is not None  # a library without recordings has no tagger
    interval = [found.low, found.high]
    return {"accuracy": found.mean, "interval": interval, "recordings": found.count}
