#!/usr/bin/env bash
# The add-on's tests in one Blender: tools/check_blender.sh .blender/4.5/bin/python
# Several run side by side, so each one's words come at its end, in one piece.
said="$("$1" -m pytest -q tests/blender 2>&1)"
status=$?
printf 'pytest in Blender: %s\n%s\n' "$1" "$said"
exit $status
