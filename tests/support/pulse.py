"""A sound card for tests: a PulseAudio daemon of our own whose null sink keeps real time."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.children import dies_with_us

RATE = 48_000
READY_SECONDS = 10.0


@dataclass
class NullSink:
    """A sink that plays into nothing, at the pace of a real device, and can be listened to.

    Attributes
    ----------
    sink, monitor
        Names of the sink and of what plays on it.
    environment
        What a process needs in its environment to play on it; nothing else is heard there.
    """

    folder: Path
    sink: str = "omniaudio_test"
    environment: dict[str, str] = field(default_factory=dict)
    _daemon: subprocess.Popen[bytes] | None = None

    @property
    def monitor(self) -> str:
        """The source that carries what the sink plays."""
        return f"{self.sink}.monitor"

    def start(self) -> None:
        """Start the daemon; raises RuntimeError with its last words where it does not come up."""
        socket = self.folder / "native"
        asoundrc = self.folder / "asound.conf"
        # PortAudio knows ALSA only; ALSA's default device is made to lead here.
        asoundrc.write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n", encoding="utf-8"
        )
        self.environment = {
            "PULSE_SERVER": f"unix:{socket}",
            "PULSE_SINK": self.sink,
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{asoundrc}",
        }
        log = (self.folder / "pulse.log").open("wb")
        self._daemon = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "--daemonize=no",
                "--use-pid-file=no",
                "--exit-idle-time=-1",
                "--disable-shm=yes",
                "--realtime=no",
                "--high-priority=no",
                f"--load=module-null-sink sink_name={self.sink} format=float32le rate={RATE} "
                "channels=2",
                f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}",
            ],
            env={**os.environ, **self.environment, "HOME": str(self.folder)},
            stdout=log,
            stderr=log,
            preexec_fn=dies_with_us(),
        )
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self._daemon.poll() is None:
            answer = subprocess.run(
                ["pactl", "info"],
                env={**os.environ, **self.environment},
                capture_output=True,
                check=False,
            )
            if answer.returncode == 0:
                return
            time.sleep(0.05)
        self.stop()
        words = (self.folder / "pulse.log").read_text(errors="replace")[-400:]
        raise RuntimeError(f"the test's PulseAudio did not start: {words}")

    def stop(self) -> None:
        """End the daemon."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait()
            self._daemon = None

    def recorder(self, latency_ms: int = 1) -> subprocess.Popen[bytes]:
        """Start listening: raw interleaved float32 stereo at 48 kHz on the process's stdout.

        Start it before what plays: a monitor that is opened later changes the sink's latency.
        """
        return subprocess.Popen(
            [
                "parec",
                "-d",
                self.monitor,
                "--format=float32le",
                f"--rate={RATE}",
                "--channels=2",
                f"--latency-msec={latency_ms}",
                "--raw",
            ],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
        )

    def record(self, seconds: float) -> np.ndarray:
        """Listen for a while; float32 (2, samples)."""
        process = self.recorder()
        assert process.stdout is not None
        data = process.stdout.read(int(seconds * RATE) * 8)
        process.kill()
        process.wait()
        return np.frombuffer(data, "<f4").reshape(-1, 2).T.copy()


def missing_pulse() -> str | None:
    """Why there can be no null sink here; None where there can be one."""
    for program in ("pulseaudio", "pactl", "parec"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install pulseaudio)"
    return None
