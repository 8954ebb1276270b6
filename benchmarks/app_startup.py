"""How long until the desktop app can be used: python benchmarks/app_startup.py [--runs 5] [--cold]

Each run is a new process with an empty user folder. The clock starts before the process does and
stops when the window has been painted and its event loop has nothing left to do. ``--cold``
empties the system's file cache before each run (Linux, as root). Without DISPLAY a screen is
started (Xvfb). Says also which heavy modules the process has loaded by then: there should be none.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

HEAVY = ("onnxruntime", "torch", "av", "cv2", "soundfile", "sounddevice", "scipy", "matplotlib")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")

CHILD = """
import json, sys, time
from pathlib import Path
from PyQt6.QtCore import QTimer
from qt_app.app import make_application, open_window
app = make_application()
window = open_window(Path(sys.argv[1]))
def idle():
    names = sys.argv[3].split(",")
    print(json.dumps({
        "seconds": time.monotonic() - float(sys.argv[2]),
        "exposed": window.windowHandle().isExposed(),
        "heavy": [name for name in names if name in sys.modules],
        "modules": len(sys.modules),
    }), flush=True)
    window.close()
    app.quit()
QTimer.singleShot(0, lambda: (app.processEvents(), QTimer.singleShot(0, idle)))
app.exec()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="empty the system's file cache first")
    options = parser.parse_args()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        from tests.support.display import start_display

        if (reason := start_display()) is not None:
            raise SystemExit(f"no screen: {reason}")
    if options.cold and not os.access(DROP_CACHES, os.W_OK):
        raise SystemExit(f"cannot empty the file cache: no permission to write {DROP_CACHES}")
    seconds = []
    for _ in range(options.runs):
        if options.cold:
            os.sync()
            DROP_CACHES.write_text("3")
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            result = subprocess.run(
                [sys.executable, "-c", CHILD, folder, str(started), ",".join(HEAVY)],
                capture_output=True,
                text=True,
                cwd=ROOT,
                check=False,
            )
        if result.returncode or not result.stdout:
            raise SystemExit(result.stderr)
        answer = json.loads(result.stdout.splitlines()[-1])
        seconds.append(answer["seconds"])
        print(
            f"{answer['seconds']:.2f} s, painted: {answer['exposed']}, "
            f"{answer['modules']} modules, heavy: {', '.join(answer['heavy']) or 'none'}"
        )
    print(f"median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
