"""``python -m omniaudio_studio`` is ``omniaudio``."""

from omniaudio_studio.cli import main

if __name__ == "__main__":
    main()
