"""The same work over Ray: a cluster of this host alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from omniaudio_studio.errors import MissingDependencyError, WorkerError
from omniaudio_studio.training.data.encode import encode
from omniaudio_studio.training.data.encoders import BundleEncoder
from omniaudio_studio.training.data.sound_source import SoundSource
from tests.training.data.test_encode import contents


def test_a_cluster_makes_the_same_bytes(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="Ray (the extra cluster) is not installed")
    source = SoundSource(good_sounds)
    encode(source, tiny_encoder, tmp_path / "one", seconds=1.0, pieces=2)
    counted: list[int] = []
    encode(
        source, tiny_encoder, tmp_path / "many", seconds=1.0, pieces=2, cluster="local", workers=2,
        progress=lambda done, of: counted.append(done),
    )  # fmt: skip
    assert counted[0] == 0 and counted[-1] == 5
    assert contents(tmp_path / "one") == contents(tmp_path / "many")


def test_no_cluster_at_an_address_is_one_line(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="Ray (the extra cluster) is not installed")
    with pytest.raises(WorkerError, match="no Ray cluster can be reached at nonsense"):
        encode(
            SoundSource(good_sounds), tiny_encoder, tmp_path / "out", seconds=1.0,
            cluster="nonsense",
        )  # fmt: skip


def test_without_ray_the_extra_is_named(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'omniaudio-studio\[cluster\]'"):
        encode(
            SoundSource(good_sounds), tiny_encoder, tmp_path / "out", seconds=1.0, cluster="local"
        )
