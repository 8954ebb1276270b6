#!/usr/bin/env bash
# Sets up .blender/VERSION for the add-on's tests: Blender as a Python module, with what they need;
# does nothing where all is up to date. A version whose Python is not found is left out, in one line.
set -euo pipefail
cd "$(dirname "$0")/.."
setup_log="$PWD/.setup.log"
log="$setup_log"
. tools/setup_common.sh

# Each version of Blender is made for one version of Python, and for few systems.
versions="4.5:3.11 5.0:3.11 5.2:3.13"
systems="Linux-x86_64 Darwin-arm64"
packages="pytest pytest-timeout psutil soundfile"
libraries="libgl1 libx11-6 libxi6 libxrender1 libxfixes3 libxkbcommon0 libsm6"

case " $systems " in
    *" $(uname -s)-$(uname -m) "*) ;;
    *)
        say "Blender is left out: there is none for Python on $(uname -s) $(uname -m)"
        exit 0
        ;;
esac

# Prints a Python of version $1, where there is one.
find_python() {
    local name
    for name in .venv/bin/python ${PYTHON:-} "python$1" python3 ~/.pyenv/versions/"$1".*/bin/python; do
        if "$name" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" > /dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

# A virtual environment cannot be moved: where the folder lies counts too.
fingerprint="$(cat tools/setup_blender.sh tools/setup_common.sh | sha256sum | cut -d' ' -f1) $PWD"

pythons=()
to_make=()
for entry in $versions; do
    version="${entry%:*}"
    environment=".blender/$version"
    if [ -x "$environment/bin/python" ] && [ "$(cat "$environment/.omniaudio" 2> /dev/null)" = "$fingerprint" ]; then
        continue
    fi
    rm -rf "$environment"
    python="$(find_python "${entry#*:}")"
    if [ -z "$python" ]; then
        say "Blender $version is left out: it needs Python ${entry#*:}, and none was found"
        continue
    fi
    to_make+=("$version")
    pythons+=("$python")
done
[ "${#to_make[@]}" != 0 ] || exit 0

: > "$log"
install_missing $libraries
mkdir -p .blender

install() {  # VERSION PYTHON
    make_venv "$2" ".blender/$1"
    ".blender/$1/bin/python" -m pip install --disable-pip-version-check --no-compile \
        "bpy==$1.*" $packages
    ".blender/$1/bin/python" -c "import bpy"
}

# Most of the time goes into unpacking: side by side, and without compiling what is never imported.
say "installing Blender ${to_make[*]} (a minute; 370 MB are downloaded for each)"
trap 'jobs -p | xargs kill 2> /dev/null || true' EXIT  # Ctrl-C does not reach what runs beside a script
processes=()
for index in "${!to_make[@]}"; do
    version="${to_make[$index]}"
    log="$PWD/.blender/$version.log"
    install "$version" "${pythons[$index]}" > "$log" 2>&1 &
    processes+=($!)
done
failed=""
for index in "${!to_make[@]}"; do
    version="${to_make[$index]}"
    if wait "${processes[$index]}"; then
        echo "$fingerprint" > ".blender/$version/.omniaudio"
        rm -f ".blender/$version.log"
    else
        tail -5 ".blender/$version.log" >&2
        failed="$failed $version"
    fi
done
[ -z "$failed" ] || fail "could not install Blender$failed; the logs are .blender/VERSION.log"
rm -f "$setup_log"
