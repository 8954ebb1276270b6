"""Cuts found in pictures, and shots read from files."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.shots import find_shots, load_shots
from omniaudio_studio.errors import Cancelled, MissingFileError, OptionError
from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.media.probe import probe
from tests.support.material import material


def cut_clip(path: Path, times: list[float], cuts: list[int], start: float = 0.0) -> Path:
    """A clip of moving random pictures; frames from the numbers in ``cuts`` show another one."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (8, 16, 3)).astype(np.uint8) for _ in range(len(cuts) + 1)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for number, time in enumerate(times):
            shot = sum(number >= cut for cut in cuts)
            image = np.kron(pictures[shot], np.ones((8, 8, 1), dtype=np.uint8))
            frame = av.VideoFrame.from_ndarray(np.roll(image, number, axis=1), format="rgb24")
            frame.pts, frame.time_base = round((time + start) * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_cuts_are_the_times_of_the_first_new_frames(tmp_path: Path) -> None:
    times = [k / 30 for k in range(120)]
    info = probe(cut_clip(tmp_path / "a.mp4", times, [40, 85]))
    seen: list[float] = []
    shots = find_shots(info, progress=seen.append)
    assert [shot.start for shot in shots] == pytest.approx([0.0, 40 / 30, 85 / 30], abs=1e-3)
    assert all(shot.cfg is None and shot.seed is None for shot in shots)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(119 / 30, abs=1e-3)


def test_variable_frame_rates_and_late_starts(tmp_path: Path) -> None:
    """Timestamps count, from the first frame's on; numbers of frames do not."""
    steps = np.where(np.arange(120) % 3 == 0, 0.08, 0.02)
    times = [float(t) for t in np.concatenate([[0], np.cumsum(steps)[:-1]])]
    info = probe(cut_clip(tmp_path / "v.mp4", times, [61], start=2.0))
    assert [shot.start for shot in find_shots(info)] == pytest.approx([0.0, times[61]], abs=2e-3)


def test_movement_is_no_cut(tmp_path: Path) -> None:
    info = probe(cut_clip(tmp_path / "m.mp4", [k / 30 for k in range(60)], []))
    assert find_shots(info) == [Segment(0.0)]


def test_a_real_clip_in_one_take() -> None:
    assert find_shots(probe(material("clips/ricoh_360_mono_40s.mp4"))) == [Segment(0.0)]


def test_cancelling(tmp_path: Path) -> None:
    info = probe(cut_clip(tmp_path / "c.mp4", [k / 30 for k in range(30)], []))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        find_shots(info, cancel=token)


def written(folder: Path, text: str, name: str = "shots.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


LIST = [{"start": 0}, {"start": 5.5, "cfg": 2, "seed": 7}, {"start": "00:00:10.5", "seed": None}]
SHOTS = [Segment(0.0), Segment(5.5, cfg=2.0, seed=7), Segment(10.5)]


@pytest.mark.parametrize("data", [LIST, {"shots": LIST}, {"segments": LIST}])
def test_json(tmp_path: Path, data: object) -> None:
    assert load_shots(written(tmp_path, json.dumps(data)), 20.0) == SHOTS


def test_csv(tmp_path: Path) -> None:
    text = "\ufeffStart, CFG, Seed\n0,,\n\n5.5, 2, 7\n0:10.5\n"
    assert load_shots(written(tmp_path, text, "shots.csv"), 20.0) == SHOTS


def test_what_no_shot_covers_has_the_requests_values(tmp_path: Path) -> None:
    text = "start,end,seed\n1,2,5\n2,3,6\n7,9,7\n"
    assert load_shots(written(tmp_path, text, "s.csv"), 20.0) == [
        Segment(1.0, seed=5),
        Segment(2.0, seed=6),
        Segment(3.0),
        Segment(7.0, seed=7),
        Segment(9.0),
    ]
    assert load_shots(written(tmp_path, text, "s.csv"), 9.0)[-1] == Segment(7.0, seed=7)


def test_scene_lists_of_pyscenedetect(tmp_path: Path) -> None:
    text = (
        "Timecode List:,00:00:04.000\n"
        "Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode,"
        "End Time (seconds),Length (frames)\n"
        "1,1,00:00:00.000,0.000,120,00:00:04.000,4.000,120\n"
        "2,121,00:00:04.000,4.000,180,00:00:06.000,6.000,60\n"
    )
    shots = load_shots(written(tmp_path, text, "clip-Scenes.csv"), 6.0)
    assert shots == [Segment(0.0), Segment(4.0)]


WRONG = [
    ("", "holds no shots"),
    ("[]", "holds no shots"),
    ("[1, 2]", "expected a list of objects"),
    ('{"other": []}', "expected a list of objects"),
    ("[{", "is not JSON"),
    ('[{"cfg": 1}]', "shot 1: start is missing"),
    ('[{"start": 1, "gain": 2}]', "unknown field 'gain'"),
    ('[{"start": NaN}]', "shot 1: start must be a finite number"),
    ('[{"start": Infinity}]', "shot 1: start must be a finite number"),
    ('[{"start": -1}]', "shot 1: start must be a finite number"),
    ('[{"start": true}]', "shot 1: start must be a finite number"),
    ('[{"start": "soon"}]', "shot 1: start must be a finite number"),
    ('[{"start": "1:2:3:4"}]', "HH:MM:SS"),
    ('[{"start": 1, "cfg": NaN}]', "shot 1: cfg must be a finite number"),
    ('[{"start": 1, "cfg": 1e9}]', "CFG"),
    ('[{"start": 1, "seed": -1}]', "shot 1: seed must be a whole number"),
    ('[{"start": 1, "seed": 1.5}]', "shot 1: seed must be a whole number"),
    ('[{"start": 1, "seed": 18446744073709551616}]', "shot 1: seed must be a whole number"),
    ('[{"start": 2}, {"start": 1}]', "shot 2 starts at 1 s, not after the one before it"),
    ('[{"start": 1}, {"start": 1}]', "not after the one before it"),
    ('[{"start": 1, "end": 3}, {"start": 2}]', "shots must not overlap"),
    ('[{"start": 3, "end": 3}]', "not after its start"),
    ('[{"start": 25}]', "but the clip is 20.000 s long"),
    ('[{"start": 1, "end": 25}]', "but the clip is 20.000 s long"),
    ("begin,end\n1,2\n", "'start' among them"),
    ("start,cfg\n1,2,3\n", "expected at most 2 values, found 3"),
    ("start\nx\n", "shot 1: start must be a finite number"),
    ("start,what\n1,2\n", "unknown field 'what'"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[text[:30] for text, _ in WRONG])
def test_wrong_files_get_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        load_shots(written(tmp_path, text, "s.txt"), 20.0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file of shots"):
        load_shots(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(OptionError, match="cannot read"):
        load_shots(tmp_path / "binary.json")
    with pytest.raises(OptionError, match="cannot read"):
        load_shots(tmp_path)
