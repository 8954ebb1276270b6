"""``omniaudio demo``: hear and see it, with nothing of your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.generate import show_result
from omniaudio_studio.cli.output import ProgressReport, print_json
from omniaudio_studio.cli.running import run_cancellable

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.demo import DemoResult


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[OUT]", help="Folder for the results; made if missing.")
    ] = Path("omniaudio-demo"),
    bundle: Annotated[str, typer.Option(help="Name or path of the model bundle.")] = "starter",
    device: Annotated[str, typer.Option(help="Where it runs.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Generate sound for the sample clip: FOA, sidecar, overlay video and plot, in one folder.

    Running it again replaces its own files in that folder and touches no other.
    """

    def work(cancel: CancelToken) -> DemoResult:
        from omniaudio_studio.jobs.demo import make_demo

        return make_demo(folder, bundle=bundle, device=device, progress=report, cancel=cancel)

    with ProgressReport() as report:
        result = run_cancellable(work)
    if as_json:
        print_json(result.as_dict())
        return
    show_result(result.run, as_json=False)
    print(f"{result.clip}  the clip itself")
    print(f"all of it is in {result.folder}")
