"""``python -m qt_app [FILES...]`` opens the window; `omniaudio gui` is the same with options."""

from __future__ import annotations

import sys

from qt_app.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
