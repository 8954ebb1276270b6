"""REAPER projects: read by another parser, media found by relative paths, markers in place."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.delivery.events import Event, find_events
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.reaper import write_reaper
from omniaudio_studio.delivery.reaper_project import Item, Track, project
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.errors import Cancelled, OutputExistsError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip
from tests.support.material import material

rpp = pytest.importorskip("rpp")

RATE = 48000
ORIGIN = Provenance("OmniAudio Studio 9", "generated", "tiny", "1", 7, 3.0, True, "CC0-1.0")
# Second, azimuth and elevation in degrees.
BURSTS = ((0.5, 60.0, 0.0), (1.2, -90.0, 45.0), (1.9, 180.0, 0.0), (2.6, 0.0, 85.0))
WORDS = ["60° left", "90° right, 45° up", "behind", "above"]


def bursts() -> np.ndarray:
    """3 s: bursts of noise from four sides, in a little noise."""
    rng = np.random.default_rng(0)
    field = 1e-5 * rng.standard_normal((4, 3 * RATE)).astype(np.float32)
    for second, azimuth, elevation in BURSTS:
        sound = 0.3 * rng.standard_normal(RATE // 5) * np.exp(-np.arange(RATE // 5) / 2400)
        wave = encode_plane_wave(
            sound.astype(np.float32), math.radians(azimuth), math.radians(elevation)
        )
        start = round(second * RATE)
        field[:, start : start + RATE // 5] += wave
    return field


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    folder = tmp_path_factory.mktemp("clips")
    return probe(make_clip(folder / "a walk.mp4", [k / 10 for k in range(40)], rate=10))


@pytest.fixture
def source(tmp_path: Path) -> DeliverySource:
    write_wav(tmp_path / "take.wav", bursts(), RATE)
    return DeliverySource(tmp_path / "take.wav", provenance=ORIGIN)


def parsed(path: Path) -> Any:
    return rpp.loads(path.read_text(encoding="utf-8"))


def values(element: Any, name: str) -> list[str]:
    found = element.find(name)
    assert found is not None, name
    return list(found)


def file_of(track: Any) -> str:
    return str(values(track.find("ITEM").find("SOURCE"), "FILE")[1])


def test_events_are_found_where_they_are() -> None:
    found = find_events((bursts()[:, k : k + 7001] for k in range(0, 3 * RATE, 7001)), RATE)
    assert [event.time for event in found] == pytest.approx([b[0] for b in BURSTS], abs=0.03)
    assert [event.words() for event in found] == WORDS
    for event, (_, azimuth, elevation) in zip(found, BURSTS, strict=True):
        if abs(elevation) < 80:
            assert math.cos(event.azimuth - math.radians(azimuth)) > math.cos(0.02)
        assert event.elevation == pytest.approx(math.radians(elevation), abs=0.02)


def test_words_for_directions() -> None:
    def words(azimuth: float, elevation: float) -> str:
        return Event(0.0, math.radians(azimuth), math.radians(elevation)).words()

    assert words(5, 0) == words(-9, 9) == "front"
    assert words(-30, -20) == "30° right, 20° down"
    assert words(-175, 30) == "behind, 30° up"
    assert words(0, -88) == "below"
    assert Event(0.0, math.nan, math.nan).words() == "all around"


def test_a_sound_from_everywhere_has_no_side() -> None:
    rng = np.random.default_rng(1)
    field = np.zeros((4, RATE), np.float32)
    field[0, RATE // 2 :] = 0.1 * rng.standard_normal(RATE // 2)
    (event,) = find_events([field], RATE)
    assert event.words() == "all around"


def test_the_project_as_another_parser_reads_it(
    source: DeliverySource, clip: ClipInfo, tmp_path: Path
) -> None:
    result = write_reaper(replace(source, clip=clip, clip_start=0.5), tmp_path / "walk.reaper")
    assert result.project == tmp_path / "walk.reaper" / "walk.rpp" and result.sound is None
    root = parsed(result.project)
    assert root.tag == "REAPER_PROJECT"
    assert values(root, "MASTER_NCH") == ["MASTER_NCH", "4", "2"]
    assert values(root, "SAMPLERATE")[1] == "48000"
    field, video = root.findall("TRACK")
    assert values(field, "NCHAN") == ["NCHAN", "4"]
    assert values(field, "MAINSEND")[1] == "1"
    item = field.find("ITEM")
    assert float(values(item, "POSITION")[1]) == 0.5
    assert float(values(item, "LENGTH")[1]) == 3.0
    assert item.find("SOURCE").attrib == ["WAVE"]
    shown = video.find("ITEM")
    assert (float(values(shown, "POSITION")[1]), float(values(shown, "LENGTH")[1])) == (0.0, 4.0)
    assert shown.find("SOURCE").attrib == ["VIDEO"]
    assert values(shown, "VOLPAN")[1] == "0"  # the clip's own sound is not heard
    markers = root.findall("MARKER")
    assert [row[3] for row in markers] == WORDS
    # On the clip's time line.
    assert [float(row[2]) for row in markers] == pytest.approx(
        [b[0] + 0.5 for b in BURSTS], abs=0.03
    )
    text = result.project.read_text(encoding="utf-8")
    assert ORIGIN.sentence() in text and "binaural decoder" in text


def test_media_are_found_from_the_projects_folder(
    source: DeliverySource, clip: ClipInfo, tmp_path: Path
) -> None:
    result = write_reaper(replace(source, clip=clip), tmp_path / "walk.reaper")
    for track, place in zip(
        parsed(result.project).findall("TRACK"), (source.field, clip.path), strict=True
    ):
        name = file_of(track)
        assert not Path(name).is_absolute()
        assert (result.project.parent / name).resolve() == place.resolve()
    assert file_of(parsed(result.project).find("TRACK")) == "../take.wav"


def test_a_folder_that_is_brought_home_later(
    source: DeliverySource, clip: ClipInfo, tmp_path: Path
) -> None:
    """Written beside the take in a temporary folder, both of which are moved one folder up."""
    stage = tmp_path / ".stage.part"
    stage.mkdir()
    (stage / "take.wav").write_bytes(source.field.read_bytes())
    staged = replace(source, field=stage / "take.wav", clip=clip)
    result = write_reaper(staged, stage / "walk.reaper", home=tmp_path / "walk.reaper")
    result.project.parent.rename(tmp_path / "walk.reaper")
    root = parsed(tmp_path / "walk.reaper" / "walk.rpp")
    field, video = map(file_of, root.findall("TRACK"))
    assert field == "../take.wav"
    assert (tmp_path / "walk.reaper" / video).resolve() == clip.path.resolve()


@pytest.mark.parametrize("kind", ["turned", "fuma", "flac"])
def test_a_field_that_does_not_fit_is_written_as_it_does(
    source: DeliverySource, clip: ClipInfo, tmp_path: Path, kind: str
) -> None:
    expected = np.zeros((4, 4 * RATE), np.float32)
    expected[:, : 3 * RATE] = bursts()
    changed = replace(source, clip=clip)
    if kind == "turned":
        write_wav(tmp_path / "t.wav", rotate_yaw(bursts(), -math.radians(40)), RATE)
        changed = replace(changed, field=tmp_path / "t.wav", yaw=40.0)
    elif kind == "fuma":
        write_wav(tmp_path / "f.wav", from_ambix(bursts(), "fuma"), RATE)
        changed = replace(changed, field=tmp_path / "f.wav", convention="fuma")
    else:
        import soundfile

        soundfile.write(tmp_path / "f.flac", bursts().T, RATE, subtype="PCM_24")
        changed = replace(changed, field=tmp_path / "f.flac")
    result = write_reaper(changed, tmp_path / "walk.reaper")
    assert result.sound == tmp_path / "walk.reaper" / "walk.wav"
    assert file_of(parsed(result.project).find("TRACK")) == "walk.wav"
    np.testing.assert_allclose(read_foa(result.sound)[0], expected, atol=1e-6)
    assert [event.words() for event in result.events] == WORDS


def test_what_lies_before_the_clip_is_not_shown(
    source: DeliverySource, clip: ClipInfo, tmp_path: Path
) -> None:
    result = write_reaper(replace(source, clip=clip, clip_start=-1.0), tmp_path / "walk.reaper")
    item = parsed(result.project).find("TRACK").find("ITEM")
    assert [float(values(item, name)[1]) for name in ("POSITION", "SOFFS", "LENGTH")] == [0, 1, 2]
    assert [event.words() for event in result.events] == WORDS[1:]


def test_without_a_clip_there_is_the_field_alone(source: DeliverySource, tmp_path: Path) -> None:
    result = write_reaper(replace(source, provenance=None, yaw=30.0), tmp_path / "walk.reaper")
    root = parsed(result.project)
    assert len(root.findall("TRACK")) == 1 and result.sound is None
    assert "OmniAudio Studio" not in result.project.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ['a "b".wav', 'it\'s "so".wav', "`'\".wav", "Straße 雨.wav"])
def test_any_name_survives_the_quotes(name: str) -> None:
    track = Track(name, 4, Item("WAVE", name, 0.0, 1.0))
    root = rpp.loads(project(name, RATE, 4, [track], [(1.5, name)], f"{name}\n>\nend"))
    expected = name if name[0] != "`" else "''\".wav"
    assert values(root.find("TRACK"), "NAME")[1] == expected
    assert file_of(root.find("TRACK")) == expected
    assert root.find("MARKER")[3] == expected


def test_what_fails_leaves_nothing(source: DeliverySource, tmp_path: Path) -> None:
    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_reaper(source, tmp_path / "a.reaper", cancel=SimpleNamespace(check=stop))
    (tmp_path / "b.reaper").mkdir()
    with pytest.raises(OutputExistsError):
        write_reaper(source, tmp_path / "b.reaper")
    assert {path.name for path in tmp_path.iterdir()} == {"take.wav", "b.reaper"}


def test_progress_ends_at_one(source: DeliverySource, clip: ClipInfo, tmp_path: Path) -> None:
    told: list[float] = []
    turned = replace(source, clip=clip, yaw=10.0)
    write_reaper(turned, tmp_path / "a.reaper", progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0


def test_a_real_recording(tmp_path: Path) -> None:
    """First-order field recordings in the order W X Y Z: something happens in them."""
    field = material("ambisonics/real_foa_wxyz_1.ogg")
    real = DeliverySource(field, convention="wxyz")
    result = write_reaper(real, tmp_path / "walk.reaper")
    assert result.sound is not None and len(result.events) >= 3
    read, rate = read_foa(result.sound)
    expected, own = read_foa(field, "wxyz")
    assert rate == own
    np.testing.assert_array_equal(read, expected)
