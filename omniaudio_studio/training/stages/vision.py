"""Stage `vision`: the frame encoder and the localiser, on where and what sounds in the scenes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.networks.conditioner import (
    ConditionerConfig,
    Localiser,
)
from omniaudio_studio.training.networks.vision import FrameEncoder, VisionConfig
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.task import Arrays, Losses, Task
from omniaudio_studio.training.views import CELL, EQUIRECT, FRONT, front_directions

#: Width of the target around a source, in radians (about half a cell of the panorama).
BLOB = math.radians(11)
#: How much more a cell with a source weighs than one without: a source covers 1 in 80 cells.
FOCUS = 20.0


class Sight(nn.Module):
    """Frame encoder and localiser, trained together."""

    def __init__(self, preset: Preset, classes: int) -> None:
        super().__init__()
        networks = preset.networks
        stem = networks.stem
        vision = VisionConfig(stem=(stem, 2 * stem, 4 * stem), depth=networks.vision_depth)
        self.encoder = FrameEncoder(vision)
        self.localiser = Localiser(
            ConditionerConfig(
                features=vision.features,
                rows=EQUIRECT.height // CELL,
                columns=EQUIRECT.width // CELL,
                front_cells=(FRONT.width // CELL) * (FRONT.height // CELL),
                classes=classes,
                width=networks.dit_width,
            )
        )

    def features(self, frames: Tensor) -> Tensor:
        """Normalised frames ``[B, S, 3, H, W]`` -> features ``[B, S, K, D]``."""
        flat = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.encoder(flat).unflatten(0, frames.shape[:2])


class VisionTask(Task):
    """Trains on random excerpts of the panorama, and of the front view in two steps of five."""

    def __init__(self, preset: Preset, scenes: SceneSet) -> None:
        torch.manual_seed(preset.vision.seed)  # the first weights
        self.sight = Sight(preset, len(scenes.classes))
        super().__init__(self.sight)
        self._scenes, self._length = scenes, preset.vision.length
        self._sphere = self.sight.localiser.directions
        self._ahead = front_directions()

    def plan(self, rng: np.random.Generator) -> bool:
        """Whether the step looks at the front view."""
        return bool(rng.random() < 0.4)

    def row(self, plan: bool, rng: np.random.Generator) -> Arrays:
        """``front`` or ``equirect`` [S, 3, H, W], normalised, and ``sources`` [S, 3, 5]."""
        frames, sources = frame_row(self._scenes, rng, self._length, front=plan)
        return {"front" if plan else "equirect": frames, "sources": sources}

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        sight, sources = self.sight, batch["sources"]
        slots = sight.localiser.config.slots
        if "front" in batch:
            side = FRONT.width // CELL
            logits = sight.localiser.heat(sight.features(batch["front"]), side, side)
            heat = heat_loss(logits.float(), sources, self._ahead.to(sources.device), slots)
            return {"loss": heat, "front": heat}
        located = sight.localiser(sight.features(batch["equirect"]).float())
        sphere = self._sphere.to(sources.device)
        heat = heat_loss(located.logits.float(), sources, sphere, slots)
        direction = direction_error(located.direction.float(), sources)
        present = present_loss(located.activity.float(), sources)
        return {
            "loss": heat + 0.5 * direction + 0.1 * present,
            "heat": heat,
            "direction": direction,
            "present": present,
        }


def load_sight(preset: Preset, classes: int, checkpoint: Path) -> Sight:
    """The averaged weights of a checkpoint."""
    sight = Sight(preset, classes).eval().requires_grad_(False)
    load_average(checkpoint, sight)
    return sight


def frame_row(
    scenes: SceneSet, rng: np.random.Generator, length: int, *, front: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A random excerpt of ``length`` frames: ``[S, 3, H, W]``, normalised, and its ``[S, 3, 5]``
    sources (class, sounding, x, y, z).

    A panorama is turned by whole pixels and the sources with it; either view is mirrored half of
    the time. Colours of the whole excerpt are scaled, shifted and mixed towards grey.
    """
    stored = scenes.front if front else scenes.equirect
    length = min(length, stored.shape[1])
    index, start = int(rng.integers(len(scenes))), int(rng.integers(stored.shape[1] - length + 1))
    picture = stored[index, start : start + length].astype(np.float32) / 255
    table = np.array(scenes.sources[index, start : start + length])
    if not front:
        width = picture.shape[2]
        shift = int(rng.integers(width))
        picture = np.roll(picture, shift, axis=2)
        turn = -2 * math.pi * shift / width
        x, y = table[..., 2].copy(), table[..., 3].copy()
        table[..., 2] = x * math.cos(turn) - y * math.sin(turn)
        table[..., 3] = x * math.sin(turn) + y * math.cos(turn)
    if rng.random() < 0.5:
        picture = picture[:, :, ::-1]
        table[..., 3] *= -1
    grey = picture.mean(axis=-1, keepdims=True)
    picture = grey + (picture - grey) * np.float32(rng.uniform(0.3, 1.4))
    tint = rng.uniform(0.8, 1.2, 3).astype(np.float32)
    picture = (picture - 0.5) * tint * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.1, 0.1)
    view = FRONT if front else EQUIRECT
    mean, std = np.array(view.mean, np.float32), np.array(view.std, np.float32)
    normal = (picture.clip(0, 1) - mean) / std
    return np.ascontiguousarray(normal.transpose(0, 3, 1, 2), np.float32), table


def heat_target(sources: Tensor, cells: Tensor, slots: int) -> Tensor:
    """A bump around every sounding source, per class and for any: ``[B, S, K, M]`` in 0..1."""
    angle = torch.arccos((sources[..., 2:] @ cells.T).clamp(-1, 1))  # [B, S, 3, K]
    sounding = (sources[..., 1] > 0.5)[..., None]
    bump = torch.exp(-0.5 * (angle / BLOB) ** 2) * sounding
    target = bump.new_zeros(*sources.shape[:2], len(cells), slots)
    for index in range(sources.shape[2]):
        name = sources[..., index, 0].long().clamp(min=0)
        here = functional.one_hot(name, slots)[..., None, :] * bump[..., index, :, None]
        target = torch.maximum(target, here)
    target[..., -1] = bump.amax(dim=2)
    return target


def heat_loss(logits: Tensor, sources: Tensor, cells: Tensor, slots: int) -> Tensor:
    """Cross-entropy per cell and slot, cells with a source weighing more."""
    target = heat_target(sources, cells, slots)
    error = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = 1 + FOCUS * target
    each = (error * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    return 10 * each.mean()


def direction_error(direction: Tensor, sources: Tensor) -> Tensor:
    """1 - cosine between the slot of each sounding source's class and where it is; where a single
    source sounds, the class-agnostic slot too."""
    unit = direction / direction.norm(dim=-1, keepdim=True).clamp(min=1e-4)
    name = sources[..., 0].long().clamp(min=0)
    sounding = sources[..., 1]
    of_class = torch.gather(unit, 2, name[..., None].expand(-1, -1, -1, 3))
    error = (1 - (of_class * sources[..., 2:]).sum(-1)) * sounding
    alone = (sounding.sum(-1) == 1).float()
    middle = (sources[..., 2:] * sounding[..., None]).sum(2)
    any_error = (1 - (unit[..., -1, :] * middle).sum(-1)) * alone
    counted = sounding.sum((1, 2)) + alone.sum(1)
    return ((error.sum((1, 2)) + any_error.sum(1)) / counted.clamp(min=1)).mean()


def present_loss(activity: Tensor, sources: Tensor) -> Tensor:
    """Cross-entropy of which classes sound at all."""
    sounding = sources[..., 1:2]
    slots = activity.shape[-1]
    present = (functional.one_hot(sources[..., 0].long().clamp(min=0), slots) * sounding).amax(2)
    present[..., -1] = sounding[..., 0].amax(-1)
    return functional.binary_cross_entropy_with_logits(activity, present.to(activity))
