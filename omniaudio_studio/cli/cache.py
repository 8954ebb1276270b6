"""``omniaudio cache``: the features of pictures that are kept on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from omniaudio_studio.cli.output import print_json


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove everything that is kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Show how much is kept of what models saw in clips, and where; or remove it.

    A clip that was seen once is not looked at again for another seed or CFG. What was used longest
    ago goes first; OMNIAUDIO_FEATURE_CACHE says how many gigabytes may be kept (4; 0: nothing).
    """
    from omniaudio_studio.engine import feature_store

    most = feature_store.limit()
    if clear:
        feature_store.clear()
    files, size = feature_store.usage()
    folder = feature_store.folder()
    if as_json:
        print_json({"folder": folder, "files": files, "bytes": size, "limit_bytes": most})
        return
    print(f"{size / 1e6:.1f} MB of at most {most / 1e9:g} GB in {folder}")
