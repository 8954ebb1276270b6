"""What generating costs Blender's window: redraws of the panel, and the timer's ticks.

    python benchmarks/blender_window.py            # needs a Blender, Xvfb, openbox, xdotool

Runs the story of tests/blender_window: a real window, the button clicked, the demo clip generated
at 40 steps. Prints the longest time between two redraws of the panel and the longest tick.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.blender_window.test_click import Window, click_generate


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        window = Window(Path(folder))
        try:
            click_generate(window)
            word, over = window.hear("OVER", "FAILED")
        finally:
            window.close()
    if word != "OVER" or over["state"] != "DONE":
        raise SystemExit(f"it did not come to its end: {over}")
    print(f"generating took {over['seconds']:.1f} s: {over['message']}")
    print(
        f"panel: {over['draws'] / over['seconds']:.1f} redraws a second, "
        f"longest wait {1000 * over['longest_gap']:.0f} ms"
    )
    print(
        f"timer: {over['ticks']} ticks, 95 % below {1000 * over['p95_tick']:.1f} ms, "
        f"longest {1000 * over['longest_tick']:.1f} ms"
    )


if __name__ == "__main__":
    main()
