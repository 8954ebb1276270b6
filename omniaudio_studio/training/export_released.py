"""Trained networks of the paper's kind as a bundle, the way that released weights become one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.errors import BundleError
from omniaudio_studio.training.export import GraphCheck
from omniaudio_studio.training.importers.checkpoint import Released
from omniaudio_studio.training.importers.config import ReleasedSetup
from omniaudio_studio.training.importers.convert import convert
from omniaudio_studio.training.networks.clip import ImageTower
from omniaudio_studio.training.networks.oobleck import Oobleck
from omniaudio_studio.training.networks.recomputing import recompute
from omniaudio_studio.training.networks.released_dit import ReleasedConditioner, ReleasedDiT


def export_released(
    dit: ReleasedDiT,
    conditioner: ReleasedConditioner,
    vae: Oobleck,
    tower: ImageTower | None,
    out: Path,
    description: dict[str, Any],
    *,
    sample_rate: int,
    window: int,
    few: ReleasedDiT | None = None,
    precision: str = "fp32",
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, list[GraphCheck]]:
    """Write the bundle of trained networks into the folder ``out``; they are empty afterwards.

    Parameters
    ----------
    vae
        Without weight norm, as `stages.oobleck.load_oobleck` gives it.
    tower
        The frozen one that features came from; None for a bundle that takes given features.
    description
        Manifest fields that no network knows: name, title, licence (the tower's included),
        provenance, ...; ``sampler`` stands above the paper's 24 steps with a guidance of 5.
    window
        Latents that the transformer was trained on.
    few
        What the stage `reflow` made of the transformer: adds its graph.
    precision
        One of `importers.convert.PRECISIONS`.

    Raises
    ------
    BundleError
        If the networks do not belong together, or a graph does not agree with torch.
    """
    found, expected = vae.config.latent, dit.config.channels
    if found != expected:
        raise BundleError(
            f"the VAE's latents have {found} values and the transformer makes {expected}: export "
            "it with the VAE that it was trained on"
        )
    if conditioner.front.out_features != dit.config.width:
        raise BundleError(
            f"the conditioner gives {conditioner.front.out_features} values and the transformer "
            f"takes {dit.config.width}: export those that were trained together"
        )
    if tower is not None and tower.config.embedding != dit.config.features:
        raise BundleError(
            f"the vision tower gives {tower.config.embedding} numbers for a picture, and the "
            f"conditioner takes {dit.config.features}; take the tower that it was trained with"
        )
    for module in (dit, conditioner, vae, *([few] if few is not None else [])):
        module.eval().requires_grad_(False)
        recompute(module, False)
    setup = ReleasedSetup(dit.config, vae.config, sample_rate, window * vae.config.hop)
    out.mkdir(parents=True, exist_ok=True)
    return convert(
        Released(setup, dit, conditioner, vae, 0, few),
        tower,
        out,
        description=description,
        precision=precision,
        say=say,
        advance=lambda *_: None,
    )
