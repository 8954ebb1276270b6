"""Shards are read at random, by any process, and by WebDataset itself."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.training.data.encode import encode
from omniaudio_studio.training.data.encoders import BundleEncoder
from omniaudio_studio.training.data.shards import open_shards
from omniaudio_studio.training.data.sound_source import SoundSource


@pytest.fixture(scope="module")
def encoded(good_sounds: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shards") / "out"
    encode(SoundSource(good_sounds), BundleEncoder(tiny_bundle, 1), out, seconds=1.0, pieces=2)
    return out


@pytest.fixture
def copied(encoded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(encoded, tmp_path / "copy"))


def test_any_sample_at_any_time(encoded: Path) -> None:
    shards = open_shards(encoded)
    notes = [shards.note(number)["source"] for number in (5, 0, 3)]
    assert notes == ["rain/wide.wav", "hum/0.wav", "rain/stereo.wav"]
    last = shards[-1]
    assert np.array_equal(last["mean"], shards[5]["mean"]) and last["mean"].dtype == np.float16
    assert not np.array_equal(shards[4]["mean"], last["mean"])
    with pytest.raises(IndexError):
        shards[6]


def test_a_pickled_reader_reads_on(encoded: Path) -> None:
    shards = open_shards(encoded)
    shards[0]
    data = pickle.dumps(shards)
    assert len(data) < 5000
    other = pickle.loads(data)
    for number in range(len(shards)):
        assert np.array_equal(other[number]["std"], shards[number]["std"])


def test_webdataset_reads_the_same(encoded: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    names = [str(path) for path in sorted(encoded.glob("shard-*.tar"))]
    read = list(webdataset.WebDataset(names, shardshuffle=False).decode())
    shards = open_shards(encoded)
    assert len(read) == len(shards)
    for number, sample in enumerate(read):
        assert np.array_equal(sample["mean.npy"], shards[number]["mean"])
        assert np.array_equal(sample["std.npy"], shards[number]["std"])
        assert sample["json"] == shards.note(number)


def test_tars_tell_no_time_and_no_user(encoded: Path) -> None:
    with tarfile.open(encoded / "shard-000000.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.uname) == (0, 0, "")


def spoil(folder: Path, value: float) -> str:
    """Put a value into the second array of the first shard; returns the sample's key."""
    record = json.loads((folder / "shard-000000.json").read_text())
    key, places = next(iter(record["samples"].items()))
    offset, size = places[1]
    tar = folder / "shard-000000.tar"
    data = bytearray(tar.read_bytes())
    array = np.load(io.BytesIO(data[offset : offset + size]))
    array[0, 0] = value
    stream = io.BytesIO()
    np.save(stream, array)
    data[offset : offset + size] = stream.getvalue()
    tar.write_bytes(data)
    return str(key)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_number_in_a_shard_names_shard_and_sample(copied: Path, value: float) -> None:
    key = spoil(copied, value)
    shards = open_shards(copied)
    with pytest.raises(MediaError) as caught:
        shards[0]
    assert str(caught.value) == (
        f"{copied / 'shard-000000.tar'}: sample {key}: std holds values that are no numbers; "
        "delete the shard and its .json and encode again"
    )
    assert np.isfinite(shards[1]["std"]).all()


def test_a_cut_shard_is_told(copied: Path) -> None:
    tar = copied / "shard-000001.tar"
    tar.write_bytes(tar.read_bytes()[:700])
    with pytest.raises(MediaError, match=r"shard-000001\.tar: sample 000002-0000-0: .* damaged"):
        open_shards(copied)[2]


def test_what_is_not_there_is_one_line(copied: Path) -> None:
    (copied / "shard-000001.tar").unlink()
    with pytest.raises(MissingFileError, match=r"no .*shard-000001\.tar: encode again"):
        open_shards(copied)
    with pytest.raises(MissingFileError, match=r"no index\.json in"):
        open_shards(copied / "nowhere")
    (copied / "index.json").write_text("{")
    with pytest.raises(MediaError, match=r"index\.json cannot be read"):
        open_shards(copied)
