"""Files that are no clip: one clear line each, and nothing of libav's own on the terminal."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingFileError, OmniAudioError
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip


def missing(folder: Path) -> Path:
    return folder / "none.mp4"


def a_folder(folder: Path) -> Path:
    (folder / "clip.mp4").mkdir()
    return folder / "clip.mp4"


def pipe(folder: Path) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(folder / "clip.mp4")
    return folder / "clip.mp4"


def empty(folder: Path) -> Path:
    (folder / "clip.mp4").touch()
    return folder / "clip.mp4"


def text(folder: Path) -> Path:
    (folder / "clip.mp4").write_text("Dear diary,\n" * 500)
    return folder / "clip.mp4"


def unicode_text(folder: Path) -> Path:
    (folder / "clip.mp4").write_text("Łódź jest ładna. " * 500, encoding="utf-8")
    return folder / "clip.mp4"


def subtitles(folder: Path) -> Path:
    (folder / "clip.mp4").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    return folder / "clip.mp4"


def noise(folder: Path) -> Path:
    (folder / "clip.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    return folder / "clip.mp4"


def plain_text(folder: Path) -> Path:
    """libav would play this one as a terminal does."""
    (folder / "clip.txt").write_text("a line of a letter\n" * 300)
    return folder / "clip.txt"


def zeros(folder: Path) -> Path:
    (folder / "clip.mp4").write_bytes(bytes(20_000))
    return folder / "clip.mp4"


def no_index(folder: Path) -> Path:
    path = make_clip(folder / "whole.mp4", [Fraction(k, 30) for k in range(60)])
    data = path.read_bytes()
    (folder / "clip.mp4").write_bytes(data[: data.index(b"moov") - 4])
    return folder / "clip.mp4"


def audio_only(folder: Path) -> Path:
    write_wav(folder / "clip.wav", np.zeros((2, 48000)), 48000)
    return folder / "clip.wav"


def audio_only_mp4(folder: Path) -> Path:
    import av

    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("aac", 48000)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(
            np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder / "clip.mp4"


def picture(folder: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (64, 32)).save(folder / "clip.jpg")
    return folder / "clip.jpg"


def bare_stream(folder: Path) -> Path:
    return make_clip(folder / "clip.h264", [Fraction(k, 30) for k in range(60)], format="h264")


def no_picture_decodes(folder: Path) -> Path:
    path = make_clip(folder / "clip.mp4", [Fraction(k, 30) for k in range(60)])
    data = path.read_bytes()
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    return path


CASES: list[tuple[Callable[[Path], Path], type[OmniAudioError], str]] = [
    (missing, MissingFileError, "no such file"),
    (a_folder, MediaError, "is a folder"),
    (pipe, MediaError, "is a pipe"),
    (empty, MediaError, r"empty \(0 bytes\)"),
    (text, MediaError, "is text, not video"),
    (unicode_text, MediaError, "is text, not video"),
    (plain_text, MediaError, "is text, not video"),
    (subtitles, MediaError, "neither pictures nor sound|is text"),
    (noise, MediaError, "cannot be read as video or sound"),
    (zeros, MediaError, "cannot be read as video or sound"),
    (no_index, MediaError, "truncated or damaged.*moov"),
    (audio_only, MediaError, "sound but no moving picture"),
    (audio_only_mp4, MediaError, "sound but no moving picture"),
    (picture, MediaError, "still picture"),
    (bare_stream, MediaError, "bare h264 stream"),
    (no_picture_decodes, MediaError, "no picture can be decoded"),
]


@pytest.mark.parametrize("make, error, words", CASES, ids=[case[0].__name__ for case in CASES])
def test_one_clear_line(
    tmp_path: Path,
    make: Callable[[Path], Path],
    error: type[OmniAudioError],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    capfd.readouterr()
    with pytest.raises(error, match=words) as caught:
        probe(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2
    assert sorted(tmp_path.iterdir()) == before
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_odd_names_are_only_names(tmp_path: Path) -> None:
    """What libav would take for a pattern, a protocol or an option."""
    for name in ("clip %03d.mp4", "http:clip.mp4", "a,b|c=d.mp4", "ünïcode 360°.mp4", "-i.mp4"):
        path = make_clip(tmp_path / "plain.mp4", [Fraction(0)]).rename(tmp_path / name)
        assert probe(path).width == 64


@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8"])
def test_a_playlist_reaches_no_network(tmp_path: Path, name: str) -> None:
    """libav would fetch what it lists."""
    visits: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    visitor, address = server.accept()
                    visits.append(address)
                    visitor.close()

        threading.Thread(target=serve, daemon=True).start()
        path = tmp_path / name
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n"
            f"http://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(MediaError) as caught:
            probe(path)
        assert "\n" not in str(caught.value)
        assert not visits
        server.shutdown(socket.SHUT_RDWR)
