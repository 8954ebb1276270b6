"""What jobs share that make one WAV."""

from __future__ import annotations

from omniaudio_studio.jobs.staged import same_sound


def test_the_samples_count_where_a_sidecar_knows_them() -> None:
    """A WAV also names the version that wrote it: the file may differ where the sound does not."""
    assert same_sound("new file", "sound", "old file", "sound")
    assert not same_sound("file", "sound", "file", "other sound")
    # Sidecars of before, and deliveries that write no WAV.
    for unknown in (None, ""):
        assert same_sound("file", "sound", "file", unknown)
        assert not same_sound("new file", "sound", "old file", unknown)
    assert same_sound("file", "", "file", "sound")
