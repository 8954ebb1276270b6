"""Noise and what a trained flow makes of it, in pairs, for straightening the flow.

A pair's beginning (which excerpt, its noise, how much of it is given, the guidance scale) is drawn
again from its number whenever it is asked for. What is kept is its end: the latents that the flow
comes to from there by guided steps, as the engine takes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.batches import stacked
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.paper import PaperFlow
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.stages.encoded import EncodedClips
from omniaudio_studio.training.stages.flow import Flow, context_mask
from omniaudio_studio.training.task import Arrays

#: Guidance scales that pairs are made with, drawn evenly.
SCALES = (1.0, 9.0)
#: Pairs of one length that share a file, and are made at once.
PIECE = 32
RECORD = "pairs.json"


class Pairs:
    """The pairs of a preset: what they begin with, and in ``folder`` what they come to.

    Parameters
    ----------
    preset
        Says how many there are, their length, and the steps that make them.
    clips
        Encoded clips that excerpts are taken from.
    folder
        Holds `pairs.json` and ``piece-000000.npy`` and so on, float16 (pairs, C, T).
    origin
        Hashes of what the pairs depend on (the flow's checkpoint, the clips): pairs of another
        origin are made again.
    """

    def __init__(
        self, preset: Preset, clips: EncodedClips, folder: Path, origin: dict[str, str]
    ) -> None:
        self._preset, self._clips, self._folder = preset, clips, folder
        self._longest = clips.most(preset.reflow.length)
        self._made = {
            **origin,
            "steps": preset.sample_steps,
            "length": self._longest,
            "seed": preset.reflow.seed,
            "context": preset.context_probability,
            "scales": list(SCALES),
        }
        #: Numbers of the pieces.
        self.pieces = range(-(-preset.reflow_pairs // PIECE))
        self._ends: dict[int, NDArray[np.float16]] = {}

    def numbers(self, piece: int) -> range:
        """The pairs of a piece."""
        return range(piece * PIECE, min((piece + 1) * PIECE, self._preset.reflow_pairs))

    def length(self, piece: int) -> int:
        """Latent frames of a piece's pairs: fewer now and then, as in training the flow."""
        rng = np.random.default_rng([self._preset.reflow.seed, 1, piece])
        return self._clips.draw_length(self._longest, rng)

    def beginning(self, number: int) -> Arrays:
        """``noise`` and ``known`` latents [C, T], ``mask`` [1, T] where they are known, the scale
        ``guidance``, ``to_latents`` [T, S] and the features of a pair."""
        length = self.length(number // PIECE)
        rng = np.random.default_rng([self._preset.reflow.seed, 2, number])
        excerpt = self._clips.draw(length, rng)
        assert excerpt.to_latents is not None
        shape = excerpt.mean.shape
        mask = context_mask(rng, length, self._preset.context_probability)
        grain = rng.standard_normal(shape).astype(np.float32)
        return {
            "noise": rng.standard_normal(shape).astype(np.float32),
            "known": (excerpt.mean + excerpt.std * grain) * mask,
            "mask": mask,
            "guidance": np.array(rng.uniform(*SCALES), np.float32),
            "to_latents": excerpt.to_latents,
            **excerpt.features,
        }

    def end(self, number: int) -> NDArray[np.float32]:
        """Latents (C, T) that a pair comes to.

        Raises
        ------
        MissingFileError, MediaError
            If they have not been made, or cannot be read.
        """
        piece = number // PIECE
        if piece not in self._ends:
            self._ends[piece] = _read(self._file(piece))
        return self._ends[piece][number - piece * PIECE].astype(np.float32)

    def make(
        self,
        flow: Flow | PaperFlow,
        machine: Machine,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make the pieces that are missing; each device makes its share.

        Raises
        ------
        MediaError
            If the flow comes to values that are no numbers.
        OutputError
            If the system refuses to write.
        """
        fabric = machine.fabric(self._preset.reflow.precision)
        if fabric.is_global_zero:
            self._prepare()
        fabric.barrier()
        fabric.to_device(flow)
        flow.eval()
        missing = [piece for piece in self.pieces if not self._file(piece).is_file()]
        done = self._preset.reflow_pairs - sum(len(self.numbers(piece)) for piece in missing)
        for piece in missing[fabric.global_rank :: fabric.world_size]:
            if progress is not None:
                progress(done, self._preset.reflow_pairs)
            rows = [self.beginning(number) for number in self.numbers(piece)]
            batch = stacked(rows)
            with fabric.autocast():
                ends = guided_steps(flow, fabric.to_device(batch), self._preset.sample_steps)
            kept = ends.cpu().numpy().astype(np.float16)
            if not np.isfinite(kept).all():
                raise MediaError(
                    f"the flow comes to values that are no numbers at a guidance of {SCALES[0]:g} "
                    f"to {SCALES[1]:g}: train it further, or at a smaller rate"
                )
            with (
                written_whole(self._file(piece), overwrite=True) as temporary,
                temporary.open("wb") as file,
            ):
                np.save(file, kept)
            done += len(rows) * fabric.world_size
        fabric.barrier()
        if progress is not None:
            progress(self._preset.reflow_pairs, self._preset.reflow_pairs)

    def _file(self, piece: int) -> Path:
        return self._folder / f"piece-{piece:06d}.npy"

    def _prepare(self) -> None:
        """Throw away what is of another origin, and say what is being made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        record = self._folder / RECORD
        if record.is_file() and _read_record(record) == self._made:
            return
        for old in self._folder.glob("piece-*.npy"):
            old.unlink()
        with written_whole(record, overwrite=True) as temporary:
            temporary.write_text(json.dumps(self._made, indent=1))


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        return None
    return record


def _read(path: Path) -> NDArray[np.float16]:
    try:
        ends: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise MissingFileError(f"no {path}: run the stage reflow again") from error
    except (ValueError, OSError) as error:
        raise MediaError(
            f"{path} cannot be read ({error}); delete it and run the stage reflow again"
        ) from error
    return ends


@torch.no_grad()
def guided_steps(flow: Flow | PaperFlow, batch: dict[str, Tensor], steps: int) -> Tensor:
    """Latents [B, C, T] at t = 0 of pairs' beginnings: what `engine.sampler` does with guidance,
    held to what is known as `engine.windows.clamp` holds a window to the one before it."""
    noise, known, given = batch["noise"], batch["known"], batch["mask"] > 0
    scale = batch["guidance"][:, None, None]
    local, global_ = flow.conditions(batch)
    local = batch["to_latents"] @ local.float()

    def twice(value: Tensor) -> Tensor:
        return torch.cat([value, value])

    conditions = twice(local), twice(global_.float())
    count = len(noise)
    keep = torch.cat([noise.new_ones(count), noise.new_zeros(count)])
    context, mask = twice(known), twice(batch["mask"])
    x = noise
    for t, t_next in pairwise(np.linspace(1.0, 0.0, steps + 1).tolist()):
        x = torch.where(given, (1 - t) * known + t * noise, x)
        velocity = flow.velocity(
            twice(x), noise.new_full((2 * count,), t), conditions, keep, context, mask
        ).float()
        shown, hidden = velocity.chunk(2)
        x = x + (t_next - t) * (hidden + scale * (shown - hidden))
    return torch.where(given, known, x)
