"""Stage `vision`: the frame encoder and the localiser, on where and what sounds in the scenes, how
loud, and what is drawn on sheets."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from omniaudio_studio.panorama.views import View
from omniaudio_studio.training.augment import relit
from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.networks.conditioner import ConditionerConfig, Localiser
from omniaudio_studio.training.networks.vision import FrameEncoder, VisionConfig
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.task import Arrays, Losses, Task
from omniaudio_studio.training.views import CELL, EQUIRECT, FRONT, front_directions

#: Width of the target around a source, in radians (about half a cell of the panorama).
BLOB = math.radians(11)
#: How much more a cell with a source weighs than one without: a source covers 1 in 80 cells.
FOCUS = 20.0
#: What the losses count for.
WEIGHTS = {"heat": 1.0, "direction": 0.5, "present": 0.3, "clip": 0.5, "level": 5.0, "name": 0.3}
#: Middle of a drawing within which it is named, in diameters, and in radians at least.
INSIDE, CLOSE = 0.45, math.radians(9)
#: Weight of a cell where nothing is drawn; there are many.
EMPTY = 0.15


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
                seen=preset.seen,
            )
        )

    def features(self, frames: Tensor) -> Tensor:
        """Normalised frames ``[B, S, 3, H, W]`` -> features ``[B, S, K, D]``."""
        flat = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.encoder(flat).unflatten(0, frames.shape[:2])


class VisionTask(Task):
    """Trains on random excerpts of the panorama and of the front view, and on sheets."""

    def __init__(self, preset: Preset, scenes: SceneSet) -> None:
        torch.manual_seed(preset.vision.seed)  # the first weights
        self.sight = Sight(preset, len(scenes.classes))
        super().__init__(self.sight)
        self._scenes, self._length = scenes, preset.vision.length
        self._sphere = self.sight.localiser.directions
        self._ahead = front_directions()

    def plan(self, rng: np.random.Generator) -> str:
        """What the step looks at: ``equirect``, ``front`` or ``sheet``."""
        shares = (0.35, 0.2, 0.45) if self._scenes.sheets is not None else (0.6, 0.4, 0.0)
        return str(rng.choice(("equirect", "front", "sheet"), p=shares))

    def row(self, plan: str, rng: np.random.Generator) -> Arrays:
        """The planned frames [S, 3, H, W], normalised, and ``sources`` [S, 3, 7]; of sheets
        ``drawn`` [S, D, 5]."""
        if plan == "sheet":
            frames, drawn = sheet_row(self._scenes, rng, self._length)
            return {"sheet": frames, "drawn": drawn}
        frames, sources = frame_row(self._scenes, rng, self._length, front=plan == "front")
        return {plan: frames, "sources": sources}

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        sight, localiser = self.sight, self.sight.localiser
        if "sheet" in batch:
            drawn = batch["drawn"]
            names = localiser.heat.names(sight.features(batch["sheet"]).float())
            named = sheet_loss(names, drawn, self._sphere.to(drawn.device))
            return {"loss": named, "sheet": named}
        sources, slots = batch["sources"], localiser.config.slots
        if "front" in batch:
            side, cells = FRONT.width // CELL, self._ahead.to(sources.device)
            seen = localiser.heat(sight.features(batch["front"]).float(), side, side)
            heat = heat_loss(seen.logits, sources, cells, slots)
            level, name = place_losses(seen.level, seen.names, sources, cells)
            return {"loss": heat + WEIGHTS["level"] * level + WEIGHTS["name"] * name, "front": heat}
        located = localiser(sight.features(batch["equirect"]).float())
        seen, cells = located.heat, self._sphere.to(sources.device)
        losses = {
            "heat": heat_loss(seen.logits, sources, cells, slots),
            "direction": direction_error(located.direction, sources),
            "present": present_loss(located.activity, sources),
            "clip": clip_loss(located.clip, sources),
        }
        losses["level"], losses["name"] = place_losses(seen.level, seen.names, sources, cells)
        weighted = [WEIGHTS[key] * value for key, value in losses.items()]
        return {"loss": torch.stack(weighted).sum(), **losses}


def load_sight(preset: Preset, classes: int, checkpoint: Path) -> Sight:
    """The averaged weights of a checkpoint."""
    sight = Sight(preset, classes).eval().requires_grad_(False)
    load_average(checkpoint, sight)
    return sight


def frame_row(
    scenes: SceneSet, rng: np.random.Generator, length: int, *, front: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A random excerpt of ``length`` frames: ``[S, 3, H, W]``, normalised, and its ``[S, 3, 7]``
    sources (class, sounding, x, y, z, level, gain).

    A panorama is turned by whole pixels and the sources with it; either view is mirrored half of
    the time and put into other light (`training.augment`).
    """
    stored = scenes.front if front else scenes.equirect
    length = min(length, stored.shape[1])
    index, start = int(rng.integers(len(scenes))), int(rng.integers(stored.shape[1] - length + 1))
    picture = stored[index, start : start + length]
    table = np.array(scenes.sources[index, start : start + length])
    picture, table[..., 2:5] = _moved(picture, table[..., 2:5], rng, turned=not front)
    return _normal(relit(picture, rng), FRONT if front else EQUIRECT), table


def sheet_row(
    scenes: SceneSet, rng: np.random.Generator, length: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``length`` random sheets ``[S, 3, H, W]``, each turned, mirrored and lit on its own, and what
    is drawn on them ``[S, D, 5]`` (class, x, y, z, diameter)."""
    assert scenes.sheets is not None and scenes.drawn is not None
    frames, tables = [], []
    for index in rng.integers(len(scenes.drawn), size=length):
        table = np.array(scenes.drawn[index])
        picture, table[:, 1:4] = _moved(scenes.sheets[index], table[:, 1:4], rng, turned=True)
        frames.append(_normal(relit(picture, rng), EQUIRECT)[0])
        tables.append(table)
    return np.stack(frames), np.stack(tables)


def _moved(
    picture: NDArray[np.uint8],
    vectors: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    turned: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures (S, H, W, 3) and unit vectors (..., 3), turned about the vertical and mirrored."""
    vectors = vectors.copy()
    if turned:
        width = picture.shape[2]
        shift = int(rng.integers(width))
        picture = np.roll(picture, shift, axis=2)
        turn = -2 * math.pi * shift / width
        x, y = vectors[..., 0].copy(), vectors[..., 1].copy()
        vectors[..., 0] = x * math.cos(turn) - y * math.sin(turn)
        vectors[..., 1] = x * math.sin(turn) + y * math.cos(turn)
    if rng.random() < 0.5:
        picture = picture[:, :, ::-1]
        vectors[..., 1] *= -1
    return np.ascontiguousarray(picture), vectors


def _normal(pictures: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    mean, std = np.array(view.mean, np.float32), np.array(view.std, np.float32)
    return np.ascontiguousarray(((pictures - mean) / std).transpose(0, 3, 1, 2))


def angles_to(vectors: Tensor, cells: Tensor) -> Tensor:
    """Angles in radians from unit vectors ``[..., 3]`` to cells ``[K, 3]``: ``[..., K]``."""
    return torch.arccos((vectors @ cells.T).clamp(-1, 1))


def heat_target(sources: Tensor, cells: Tensor, slots: int) -> Tensor:
    """A bump around every sounding source, per class and for any: ``[B, S, K, M]`` in 0..1."""
    angle = angles_to(sources[..., 2:5], cells)  # [B, S, 3, K]
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
    error = (1 - (of_class * sources[..., 2:5]).sum(-1)) * sounding
    alone = (sounding.sum(-1) == 1).float()
    middle = (sources[..., 2:5] * sounding[..., None]).sum(2)
    any_error = (1 - (unit[..., -1, :] * middle).sum(-1)) * alone
    counted = sounding.sum((1, 2)) + alone.sum(1)
    return ((error.sum((1, 2)) + any_error.sum(1)) / counted.clamp(min=1)).mean()


def present_loss(activity: Tensor, sources: Tensor) -> Tensor:
    """Cross-entropy of which slots sound, frame by frame."""
    return functional.binary_cross_entropy_with_logits(
        activity, sounding_slots(sources, activity.shape[-1])
    )


def clip_loss(clip: Tensor, sources: Tensor) -> Tensor:
    """Cross-entropy of which slots sound at any time."""
    return functional.binary_cross_entropy_with_logits(
        clip, sounding_slots(sources, clip.shape[-1]).amax(dim=1)
    )


def sounding_slots(sources: Tensor, slots: int) -> Tensor:
    """Whether a slot sounds, 0 or 1: ``[B, S, M]``."""
    sounding = sources[..., 1:2]
    present = (functional.one_hot(sources[..., 0].long().clamp(min=0), slots) * sounding).amax(2)
    present[..., -1] = sounding[..., 0].amax(-1)
    return present


def place_losses(
    level: Tensor, names: Tensor, sources: Tensor, cells: Tensor
) -> tuple[Tensor, Tensor]:
    """At the place of every source that sounds and is in view: squared error of its level, and
    cross-entropy of its name. ``level`` [B, S, K] are logits, ``names`` [B, S, K, C + 1] logs."""
    bump = torch.exp(-0.5 * (angles_to(sources[..., 2:5], cells) / BLOB) ** 2)  # [B, S, 3, K]
    counted = sources[..., 1] * (bump.amax(dim=-1) > 0.5)
    look = bump / bump.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    found = (look @ torch.sigmoid(level)[..., None])[..., 0]
    name = sources[..., 0].long().clamp(min=0)
    called = torch.gather(look @ names, -1, name[..., None])[..., 0]
    number = counted.sum((1, 2)).clamp(min=1)
    error = ((found - sources[..., 5]) ** 2 * counted).sum((1, 2)) / number
    return error.mean(), (-(called * counted).sum((1, 2)) / number).mean()


def sheet_loss(names: Tensor, drawn: Tensor, cells: Tensor) -> Tensor:
    """Cross-entropy of what is drawn in each cell of a sheet, the last name where nothing known is.

    ``names`` [B, S, K, C + 1] are logits, ``drawn`` [B, S, D, 5]. Cells at a drawing's edge are not
    asked.
    """
    reach = (INSIDE * drawn[..., 4:]).clamp(min=CLOSE)
    away = angles_to(drawn[..., 1:4], cells) / reach  # [B, S, D, K]
    away = away.masked_fill(drawn[..., 4:] == 0, math.inf)
    closest, which = away.min(dim=2)
    name = torch.gather(drawn[..., 0], 2, which)
    nothing = names.shape[-1] - 1
    known = (closest < 1) & (name >= 0)
    wanted = torch.where(known, name.long(), nothing)
    weight = known + EMPTY * ((closest > 1.6) | ((closest < 1) & (name < 0)))
    error = functional.cross_entropy(names.flatten(0, 2), wanted.flatten(), reduction="none")
    each = (error.view_as(weight) * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6)
    return each.mean()
