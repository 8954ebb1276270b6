"""``omniaudio models``: which bundles there are, what one is, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniaudio_studio.cli import importing
from omniaudio_studio.cli.output import print_json, print_pairs

if TYPE_CHECKING:
    from omniaudio_studio.bundles.discovery import Found

app = typer.Typer(help="Model bundles: list, info, verify, check, import.", no_args_is_help=True)
app.add_typer(importing.app, name="import")


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """List the bundles found, by name."""
    from omniaudio_studio.bundles.discovery import scan_bundles

    found = scan_bundles()
    if as_json:
        print_json([_row(item) for item in found])
        return
    if not found:
        print("no bundle found; name its folder in OMNIAUDIO_BUNDLES, or use --bundle PATH")
    for item in found:
        if item.bundle is None:
            print(f"broken  {item.problem}")
            continue
        manifest = item.bundle.manifest
        kind = ", demonstration model" if manifest.demonstration else ""
        print(f"{manifest.name}  {manifest.title} {manifest.version}{kind}")
        print(f"  {item.path}")


def _row(item: Found) -> dict[str, Any]:
    if item.bundle is None:
        return {"path": item.path, "problem": item.problem}
    manifest = item.bundle.manifest
    return {
        "name": manifest.name,
        "title": manifest.title,
        "version": manifest.version,
        "demonstration": manifest.demonstration,
        "licence": manifest.licence.id,
        "path": item.path,
        "problem": None,
    }


@app.command()
def info(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or path.")],
    as_json: Annotated[bool, typer.Option("--json", help="The whole manifest as JSON.")] = False,
) -> None:
    """Show a bundle's manifest: licence, origin, rates, views, sampler."""
    from omniaudio_studio.bundles.discovery import find_bundle

    found = find_bundle(bundle, verify=False)
    manifest = found.manifest
    if as_json:
        print_json({"path": found.path, **manifest.to_dict()})
        return
    views = ", ".join(
        f"{item.name} {item.view.width} x {item.view.height}" for item in manifest.views
    )
    print_pairs(
        [
            ("name", f"{manifest.name} ({manifest.title}, version {manifest.version})"),
            ("kind", "demonstration model" if manifest.demonstration else "model"),
            ("path", found.path),
            (
                "licence",
                f"{manifest.licence.id}"
                + ("" if manifest.licence.commercial else " (no commercial use)"),
            ),
            ("sample rate", f"{manifest.sample_rate} Hz"),
            ("latent", f"{manifest.latent.channels} channels at {manifest.latent.rate:g} Hz"),
            ("views", views),
            ("vision", "in the bundle" if manifest.sees else "none: give --features FILE.npz"),
            ("pictures", f"{manifest.features.rate:g} a second"),
            ("sampler", f"CFG {manifest.sampler.cfg:g}, {manifest.sampler.steps} steps"),
            (
                "few steps",
                "none"
                if manifest.reflow is None
                else f"--sampler reflow, {manifest.reflow.steps} steps, CFG "
                f"{manifest.reflow.cfg[0]:g} to {manifest.reflow.cfg[1]:g}",
            ),
            ("precision", manifest.precision),
        ]
    )


@app.command()
def verify(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or path.")],
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Check a bundle: manifest, every file's hash, no path that leaves the folder."""
    from omniaudio_studio.bundles.discovery import find_bundle

    found = find_bundle(bundle)
    files = len(found.manifest.files)
    if as_json:
        print_json({"bundle": found.manifest.name, "path": found.path, "files": files, "ok": True})
        return
    print(f"{found.manifest.name}: all {files} files are as the manifest says")


@app.command()
def check(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or path.")],
    against: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Arrays of the original: dit.npz, sample.npz, vae.npz, tolerances."
        ),
    ],
    device: Annotated[str, typer.Option(help="What the graphs run on.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="The gaps as JSON.")] = False,
) -> None:
    """Compare a bundle's graphs with arrays of the original model; exit code 1 where one is off."""
    from omniaudio_studio.bundles.discovery import find_bundle
    from omniaudio_studio.evaluation.parity import check_bundle

    gaps = check_bundle(find_bundle(bundle), against, device)
    if as_json:
        print_json([{**asdict(gap), "within": gap.within} for gap in gaps])
    else:
        for gap in gaps:
            print(
                f"{gap.name:<15} {gap.difference:.2e}  of {gap.tolerance:.2e} allowed "
                f"(standard deviation {gap.spread:.3g})  {'ok' if gap.within else 'TOO FAR OFF'}"
            )
    if not all(gap.within for gap in gaps):
        raise typer.Exit(1)
