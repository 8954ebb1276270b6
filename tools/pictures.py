"""Make the README's pictures: python tools/pictures.py

Runs `omniaudio demo` into a temporary folder and keeps its plot and one frame of its overlay; then
`omniaudio spatialize --sources learned` on the sample clip, and keeps a frame of that overlay.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import probe

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "omniaudio_studio" / "assets" / "demo.mp4"
PICTURES = ROOT / "docs" / "pictures"
SECOND = 4.0
BARK = 1.6  # seconds: the dog barks


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "omniaudio_studio", "demo", folder], check=True)
        made = Path(folder)
        Image.open(made / "demo.png").save(PICTURES / "measure.png", optimize=True)
        frame = read_frame(probe(made / "demo.overlay.mp4"), SECOND)
        Image.fromarray(frame).save(PICTURES / "overlay.jpg", quality=85)
        command = [sys.executable, "-m", "omniaudio_studio", "spatialize", str(CLIP)]
        options = ["-o", str(made / "placed.wav"), "--sources", "learned", "--overlay"]
        subprocess.run([*command, *options], check=True)
        frame = read_frame(probe(made / "placed.overlay.mp4"), BARK)
        Image.fromarray(frame).save(PICTURES / "placed.jpg", quality=85)


if __name__ == "__main__":
    main()
