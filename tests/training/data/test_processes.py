"""Worker processes that are lost, and that meet an error."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from omniaudio_studio.errors import BundleError
from omniaudio_studio.training.data.encode import encode
from omniaudio_studio.training.data.encoders import BundleEncoder
from omniaudio_studio.training.data.excerpt import Excerpt, Form
from omniaudio_studio.training.data.shards import open_shards
from omniaudio_studio.training.data.sound_source import SoundSource


class Deadly(SoundSource):
    """Reading one file ends the process, as a crash of a decoder does; reading another one ends
    the first that tries it, as where the machine runs out of memory."""

    def excerpts(self, piece: int, form: Form) -> Iterator[Excerpt | str]:
        mark = self.folder.parent / "ended"
        lost = self.names[piece] == "rain/stereo.wav" and not mark.exists()
        if lost:
            mark.touch()
        if lost or self.names[piece] == "hum/1.wav":
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().excerpts(piece, form)


pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


def test_only_a_file_that_ends_its_reader_twice_is_left_out(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.symlink_to(good_sounds)
    counted: list[int] = []
    made = encode(
        Deadly(folder), tiny_encoder, tmp_path / "out", seconds=1.0, pieces=4, workers=1,
        progress=lambda done, of: counted.append(done),
    )  # fmt: skip
    assert (tmp_path / "ended").exists() and counted[-1] == 5
    assert made.skipped == [("hum/1.wav", "ended the process that read it, twice")]
    notes = [open_shards(made.folder).note(number) for number in range(made.samples)]
    assert [note["source"] for note in notes] == [
        "hum/0.wav", "hum/2.wav", "rain/stereo.wav", "rain/wide.wav", "rain/wide.wav",
    ]  # fmt: skip


def test_a_workers_error_is_the_commands(
    good_sounds: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    (bundle / "vae_encoder.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"vae_encoder\.onnx cannot be read"):
        encode(
            SoundSource(good_sounds), BundleEncoder(bundle), tmp_path / "out", seconds=1.0,
            workers=1,
        )  # fmt: skip
