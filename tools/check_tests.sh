#!/usr/bin/env bash
# All tests, in three rounds, each of which keeps two cores busy or needs the machine to itself.
#   1. What computes, in two processes; a file's tests stay together, and so do those that share
#      the debug run (tests/conftest.py).
#   2. The windows, in a process without torch and all else that the others load, beside the
#      add-on's tests in one Blender after the other.
#   3. Alone, what is marked keeps_time: what looks at the clock, or plays; the windows by themselves.
set -uo pipefail
cd "$(dirname "$0")/.."
pytest=.venv/bin/pytest
failed=0
# Processes start by the hundred: each would compile the package anew.
unset PYTHONDONTWRITEBYTECODE

echo "pytest: what computes"
# A process's own threads would wait for those of the other one.
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$pytest" -q -m "not keeps_time" --ignore=tests/qt \
    -n 2 --dist loadgroup || failed=1

said="$(mktemp)"
trap 'rm -f "$said"; kill "$blender" 2> /dev/null' EXIT
make --no-print-directory check-blender AT_ONCE=1 > "$said" 2>&1 &
blender=$!
echo "pytest: windows, and the add-on in Blender"
"$pytest" -q -m "not keeps_time" tests/qt || failed=1
wait "$blender" || failed=1
cat "$said"

echo "pytest: what keeps time"
"$pytest" -q -m keeps_time --ignore=tests/qt || failed=1
"$pytest" -q -m keeps_time tests/qt || failed=1
exit "$failed"
