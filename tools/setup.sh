#!/usr/bin/env bash
# Sets up .venv for `make demo` (core), `make app` (app) or `make test` (dev), and for the latter the
# Blender environments too (blender, see setup_blender.sh); does nothing when all is up to date.
# Needs a Python of 3.11 or newer. On Debian, as root, missing system packages are installed;
# elsewhere one line says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."
what="${1:?core, app, dev or blender}"
[ "$what" != blender ] || exec tools/setup_blender.sh
venv=.venv
log="$PWD/.setup.log"
. tools/setup_common.sh

# What the set-up depends on: the project file, this script and where the folder lies (a virtual
# environment cannot be moved).
fingerprint="$(cat pyproject.toml tools/setup.sh tools/setup_common.sh | sha256sum | cut -d' ' -f1) $PWD"
up_to_date() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.omniaudio-$1" 2>/dev/null)" = "$fingerprint" ]; }
if up_to_date "$what" || up_to_date dev || { [ "$what" = core ] && up_to_date app; }; then
    exit 0
fi

find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer found; install one (Debian 12: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.11 ${2:-}"
}

: > "$log"

# What windows, GL and sound need; for tests also a screen, a sound card, a SOFA file, a Blender with
# a window in which they can click, and players that say what they make of a file.
window="libegl1 libgl1 libgl1-mesa-dri libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0
    libxcb-icccm4 libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1
    fonts-dejavu-core libportaudio2 libasound2-plugins"
tests="xvfb pulseaudio pulseaudio-utils libmysofa1 blender python3-numpy openbox xdotool imagemagick
    vlc-bin vlc-plugin-base mediainfo ffmpeg"
case "$what" in
    app) packages="$window" ;;
    dev) packages="$window $tests" ;;
    *) packages="" ;;
esac
[ -z "$packages" ] || install_missing $packages

if [ -e "$venv" ]; then
    # One that was made elsewhere, or by a Python that is gone, cannot be repaired.
    made_for="$(sed -n 's/^VIRTUAL_ENV=\(.*\)/\1/p' "$venv/bin/activate" 2> /dev/null | tr -d "\"'" | head -1)"
    if ! "$venv/bin/python" -m pip --version > /dev/null 2>&1 \
        || ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || [ "$made_for" != "$PWD/$venv" ]; then
        say "making $venv anew"
        rm -rf "$venv"
    fi
fi
if [ ! -e "$venv" ]; then
    python="$(find_python)"
    make_venv "$python" "$venv"
fi

case "$what" in
    app) target=".[gui]" ;;
    dev) target=".[dev]" ;;
    *) target="." ;;
esac
say "installing packages (a few minutes the first time)"
"$venv/bin/python" -m pip install --disable-pip-version-check -e "$target" >> "$log" 2>&1 || {
    tail -15 "$log" >&2
    fail "pip could not install the packages; the log is $log"
}

# The wheels carry nearly all they need; what the system must add shows when they are imported.
for attempt in 1 2 3 4; do
    missing="$("$venv/bin/python" - << 'PYTHON'
import re
for module in ("numpy", "onnxruntime", "av", "soundfile", "soxr", "cv2", "scenedetect", "matplotlib"):
    try:
        __import__(module)
    except Exception as error:
        library = re.search(r"lib[\w+.-]+\.so[.\d]*", str(error))
        print(library.group() if library else f"{module}: {error}")
        break
PYTHON
)"
    [ -z "$missing" ] && break
    [ "$attempt" = 4 ] && fail "still missing after installing system packages: $missing"
    case "$missing" in
        libstdc++.so*) install_packages libstdc++6 ;;
        libgomp.so*) install_packages libgomp1 ;;
        libgthread* | libglib*) install_packages libglib2.0-0 ;;
        libGL.so*) install_packages libgl1 ;;
        libsndfile.so*) install_packages libsndfile1 ;;
        *) fail "a package does not load: $missing" ;;
    esac
done

echo "$fingerprint" > "$venv/.omniaudio-$what"
rm -f "$log"
