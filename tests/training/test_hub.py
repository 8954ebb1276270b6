"""Downloading from a hub that answers, hangs up in the middle, and is asked again."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.local_server import serving
from tests.support.released_weights import CHECKPOINT, TOWER, write_hub

DOWNLOAD = """
import sys
from pathlib import Path
from omniaudio_studio.training.importers.hub import download
from omniaudio_studio.training.importers.released import missing

folder = Path(sys.argv[1])
items = missing(folder, vision=True)
print(len(items), sum(item.bytes for item in items))
download(items, folder, lambda line: None)
print(len(missing(folder, vision=True)))
"""


class _Hub(http.server.BaseHTTPRequestHandler):
    """The part of the hub's API that a download asks for, over a folder."""

    root: Path
    ranges: list[str]
    hang_up = 0  # bytes of a checkpoint after which the connection ends, once

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/main)?", path):
            folder = self.root / found[1]
            files = [
                {"rfilename": item.name, "size": item.stat().st_size, "blobId": "0" * 40}
                for item in sorted(folder.iterdir())
            ]
            data = json.dumps({"id": found[1], "sha": "1" * 40, "siblings": files}).encode()
            self._send(200, data, body)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._file(self.root / found[1] / found[2], body)
        else:
            self._send(404, b"", body)

    def _file(self, path: Path, body: bool) -> None:
        data = path.read_bytes()
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": "1" * 40,
            "Accept-Ranges": "bytes",
        }
        asked = self.headers.get("Range")
        if asked and body:
            self.ranges.append(asked)
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self._send(206, data[begin:], body, headers)
            return
        if body and path.name == "model.ckpt" and self.hang_up:
            sent, type(self).hang_up = self.hang_up, 0
            self._send(200, data, False, headers)
            self.wfile.write(data[:sent])
            self.close_connection = True
            return
        self._send(200, data, body, headers)

    def _send(
        self, status: int, data: bytes, body: bool, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[type[_Hub], str]]:
    class Own(_Hub):
        root = write_hub(tmp_path / "hub")
        ranges: list[str] = []  # noqa: RUF012

    with serving(Own) as endpoint:
        yield Own, endpoint


def downloaded(endpoint: str, folder: Path) -> list[str]:
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder.parent / "hf")}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", DOWNLOAD, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_all_files_arrive_and_are_laid_out_as_the_hubs(
    hub: tuple[type[_Hub], str], tmp_path: Path
) -> None:
    handler, endpoint = hub
    count, size, left = downloaded(endpoint, tmp_path / "here")
    wanted = [CHECKPOINT / "model.ckpt", TOWER / "config.json", TOWER / "model.safetensors"]
    assert left == "0" and int(count) == len(wanted)
    assert int(size) == sum((handler.root / path).stat().st_size for path in wanted)
    for path in wanted:
        assert (tmp_path / "here" / path).read_bytes() == (handler.root / path).read_bytes()


def test_a_connection_that_broke_goes_on_where_it_was(
    hub: tuple[type[_Hub], str], tmp_path: Path
) -> None:
    handler, endpoint = hub
    path = CHECKPOINT / "model.ckpt"
    # Its client writes what it got by ten million bytes.
    (handler.root / path).write_bytes(np.random.default_rng(0).bytes(24_000_000))
    handler.hang_up = 12_000_000
    downloaded(endpoint, tmp_path / "here")
    assert (tmp_path / "here" / path).read_bytes() == (handler.root / path).read_bytes()
    begun = [int(asked.removeprefix("bytes=").partition("-")[0]) for asked in handler.ranges]
    assert begun and 0 < begun[0] <= 12_000_000
