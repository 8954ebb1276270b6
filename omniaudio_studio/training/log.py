"""What a run tells of itself: a file of losses, and TensorBoard with sounds and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from omniaudio_studio.training.task import Sample


class RunLog:
    """Beside the checkpoint: ``STAGE.jsonl``, and ``tensorboard/STAGE`` for TensorBoard.

    Closing it (it is a context manager) writes what is still held back.
    """

    def __init__(self, checkpoint: Path, first: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._lines = checkpoint.with_suffix(".jsonl")
        # Steps that a crash lost are walked again: TensorBoard forgets the first time.
        self._board = SummaryWriter(
            str(checkpoint.parent / "tensorboard" / checkpoint.stem), purge_step=first
        )

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def losses(self, step: int, means: dict[str, float], rate: float) -> None:
        """Losses averaged since the last call, and the learning rate."""
        with self._lines.open("a") as lines:
            lines.write(json.dumps({"step": step, **means}) + "\n")
        for name, value in means.items():
            self._board.add_scalar(name, value, step)
        self._board.add_scalar("learning rate", rate, step)

    def samples(self, step: int, samples: dict[str, Sample]) -> None:
        """Sounds and pictures; what has more than one channel is heard as its first."""
        for name, sample in samples.items():
            data: Any = sample.data
            if sample.kind == "image":
                self._board.add_image(name, data, step, dataformats="HWC")
            else:
                mono = np.atleast_2d(np.asarray(data, np.float32))[0]
                self._board.add_audio(name, mono.clip(-1, 1), step, sample_rate=sample.rate)
