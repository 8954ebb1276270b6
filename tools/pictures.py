"""Make the README's pictures: python tools/pictures.py

Runs `omniaudio demo` into a temporary folder and keeps its plot and one frame of its overlay.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import probe

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SECOND = 4.0


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "omniaudio_studio", "demo", folder], check=True)
        made = Path(folder)
        Image.open(made / "demo.png").save(PICTURES / "measure.png", optimize=True)
        frame = read_frame(probe(made / "demo.overlay.mp4"), SECOND)
        Image.fromarray(frame).save(PICTURES / "overlay.jpg", quality=85)


if __name__ == "__main__":
    main()
