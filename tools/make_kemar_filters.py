"""Make the binaural filters that ship: python tools/make_kemar_filters.py [FILE.sofa]

FILE.sofa is MIT's KEMAR set as Debian's package libmysofa1 installs it, which is the default. Needs
the extra hrtf. The same file gives the same filters.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from omniaudio_studio.files import written_whole
from omniaudio_studio.foa.binaural_filters import DEFAULT_FILE
from omniaudio_studio.media.hrtf import load_hrtf

SOFA = Path("/usr/share/libmysofa/MIT_KEMAR_normal_pinna.sofa")
RATE = 48000


def main() -> None:
    sofa = Path(sys.argv[1]) if len(sys.argv) > 1 else SOFA
    filters = replace(
        load_hrtf(sofa, rate=RATE, symmetric=True),
        name="KEMAR dummy head (MIT)",
        # The file's own licence field is empty ("No license provided"); this is the statement of
        # those who made the measurements: see the notice beside the filters.
        licence=(
            "Copyright 1994 by the MIT Media Laboratory. Provided free with no restrictions on "
            "use, provided the authors are cited when the data is used in any research or "
            "commercial application."
        ),
        citation=(
            "W. G. Gardner and K. D. Martin, HRTF measurements of a KEMAR, "
            "J. Acoust. Soc. Am. 97 (6), 1995, pp. 3907-3908"
        ),
    )
    DEFAULT_FILE.parent.mkdir(exist_ok=True)
    with written_whole(DEFAULT_FILE, overwrite=True) as temporary:
        filters.save(temporary)
    print(f"{DEFAULT_FILE}: {filters.taps.shape[2]} taps at {filters.rate} Hz")


if __name__ == "__main__":
    main()
