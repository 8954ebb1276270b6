"""Stage `reflow`: a transformer that gives in few steps what the trained one gives in many.

The trained flow's own samples are paired with the noise that they came from (`training.pairs`), and
a copy of it learns the straight line from one to the other: X. Liu et al., "Flow straight and
fast", arXiv 2209.03003. It is told the guidance scale that a pair was made with, so that it needs
no second evaluation for guidance. The conditions stay those of the trained flow, since both have
one graph for them in a bundle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from omniaudio_studio.errors import BundleError, MediaError, MissingFileError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.networks.conditioner import ConditionerConfig
from omniaudio_studio.training.pairs import SCALES, Pairs
from omniaudio_studio.training.paper import PaperFlow
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.stages.flow import Flow
from omniaudio_studio.training.task import Arrays, Losses, Task

#: Key of its graph in a bundle.
FEW = "dit_few"
#: Steps that a bundle takes by default.
STEPS = 6
#: Numbers of steps that it is meant for.
FEWEST, MOST = 4, 8
#: How often a time is one that a sampler of so few steps looks at; else it is any time, so that
#: other numbers of steps are of use too. (The U-shaped times of S. Lee et al., "Improving the
#: training of rectified flows", arXiv 2405.20320, are spent near 0 for a good part, where no
#: sampler of few steps looks.)
LOOKED_AT = 0.75


class ReflowTask(Task):
    """Straight lines between the two ends of pairs; ``flow`` is what is trained."""

    def __init__(self, pairs: Pairs, flow: Flow | PaperFlow) -> None:
        super().__init__(flow)
        self.flow, self._pairs = flow, pairs

    def plan(self, rng: np.random.Generator) -> list[int]:
        """Numbers of the pairs that have the step's length."""
        pieces = self._pairs.pieces
        length = self._pairs.length(pieces[int(rng.integers(len(pieces)))])
        return [
            number
            for piece in pieces
            if self._pairs.length(piece) == length
            for number in self._pairs.numbers(piece)
        ]

    def row(self, plan: list[int], rng: np.random.Generator) -> Arrays:
        """A pair (see `Pairs.beginning`) with its ``end`` [C, T] and a time ``t``."""
        number = plan[int(rng.integers(len(plan)))]
        t = rng.random()
        if rng.random() < LOOKED_AT:
            steps = rng.integers(FEWEST, MOST + 1)
            t = np.ceil(t * steps) / steps
        return {
            **self._pairs.beginning(number),
            "end": self._pairs.end(number),
            "t": np.array(t, np.float32),
        }

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        flow, t = self.flow, batch["t"]
        noise, end, asked = batch["noise"], batch["end"], 1 - batch["mask"]
        x = (1 - t[:, None, None]) * end + t[:, None, None] * noise
        local, global_ = flow.conditions(batch)
        velocity = flow.velocity(
            x,
            t,
            (batch["to_latents"] @ local.float(), global_.float()),
            t.new_ones(len(t)),
            batch["known"],
            batch["mask"],
            batch["guidance"],
        )
        # What is given is never asked for: samplers hold it to its line themselves.
        error = ((velocity.float() - (noise - end)) ** 2 * asked).mean(1)
        return {"loss": (error.sum(1) / asked.sum((1, 2))).mean()}


def begin_with(student: Flow | PaperFlow, teacher: Flow | PaperFlow) -> None:
    """Give a guided flow the weights of a trained one; its transformer alone is to be trained."""
    student.load_state_dict({**student.state_dict(), **teacher.state_dict()})
    student.requires_grad_(False)
    student.dit.requires_grad_(True)


def load_student(preset: Preset, config: ConditionerConfig, checkpoint: Path) -> Flow:
    """The averaged weights of a checkpoint."""
    flow = Flow(preset, config, guided=True).eval().requires_grad_(False)
    load_average(checkpoint, flow)
    return flow


def section() -> dict[str, Any]:
    """The manifest's section `reflow`."""
    return {"graph": FEW, "steps": STEPS, "cfg": list(SCALES)}


def write_teacher(checkpoint: Path, sha256: str) -> None:
    """Note beside the checkpoint that training is going to write whose pairs it is trained on.

    Raises
    ------
    MediaError
        If a checkpoint is there that was trained on the pairs of another flow.
    """
    if checkpoint.exists() and _teacher(checkpoint) != sha256:
        raise MediaError(
            f"{checkpoint} straightens another flow than finetune.ckpt: delete it to train it "
            "from its start, or name another folder for the run"
        )
    with written_whole(_beside(checkpoint), overwrite=True) as temporary:
        temporary.write_text(json.dumps({"teacher": sha256}))


def check_teacher(checkpoint: Path, sha256: str) -> None:
    """Raise BundleError where a checkpoint straightens another flow than that of ``sha256``."""
    if _teacher(checkpoint) != sha256:
        raise BundleError(
            f"{checkpoint} was trained before finetune.ckpt was: delete it, and train reflow again"
        )


def _teacher(checkpoint: Path) -> str:
    path = _beside(checkpoint)
    if not path.is_file():
        raise MissingFileError(f"no {path}, which belongs to {checkpoint.name}: train it again")
    try:
        return str(json.loads(path.read_text())["teacher"])
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(
            f"{path} cannot be read ({error}); delete it and {checkpoint.name}, and train again"
        ) from error


def _beside(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".json")
