#!/usr/bin/env bash
# All tests, in two rounds, since some look at the clock: what only computes, beside the add-on's
# tests in Blender; then, alone, what has windows, sound and processes that are killed. The windows
# have a process to themselves, without torch and all else that the others have loaded.
set -uo pipefail
cd "$(dirname "$0")/.."
pytest=.venv/bin/pytest
computing=(tests/bundles tests/datasets tests/delivery tests/evaluation tests/foa tests/media
    tests/integration/test_demo.py tests/integration/test_onnx_vs_torch.py
    tests/integration/test_starter.py
    tests/panorama tests/training)

said="$(mktemp)"
trap 'rm -f "$said"; kill "$blender" 2> /dev/null' EXIT
make --no-print-directory check-blender AT_ONCE=1 > "$said" 2>&1 &
blender=$!

failed=0
echo "pytest: what computes"
"$pytest" -q "${computing[@]}" || failed=1
wait "$blender" || failed=1
cat "$said"
echo "pytest: what keeps time"
"$pytest" -q "${computing[@]/#/--ignore=}" --ignore=tests/qt || failed=1
"$pytest" -q tests/qt || failed=1
exit "$failed"
