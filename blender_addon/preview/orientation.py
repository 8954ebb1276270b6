"""Where a view or a camera looks, as the volumes of the streams. Plain numbers: no bpy, no NumPy.

A view looks along its -Z, its left is -X and its up +Y; Blender's world axes are the field's: X is
the front, Y left, Z up. A matrix here is three rows of three numbers, as `mathutils.Matrix` gives
them, and its columns are the axes of what it turns.
"""

from __future__ import annotations

from collections.abc import Sequence

Matrix = Sequence[Sequence[float]]
Rows = tuple[tuple[float, float, float], ...]

AXIS = {"X": 0, "Y": 1, "Z": 2}
IDENTITY: Rows = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def head(view: Matrix, field: Matrix = IDENTITY) -> Matrix:
    """The head's orientation in the field, as `omniaudio_studio.foa.binaural.head_rotation` has it.

    Parameters
    ----------
    view : 3 x 3
        From the axes of the view or camera to the world's: a rotation.
    field : 3 x 3
        From the field's own axes to the world's: a rotation.

    Returns
    -------
    3 x 3
        Its columns are the head's front, left and up in the field's axes.
    """
    looks = [[-row[2], -row[0], row[1]] for row in view]
    # The inverse of a rotation is its transpose.
    return tuple(
        tuple(
            sum(field[world][own] * looks[world][axis] for world in range(3)) for axis in range(3)
        )
        for own in range(3)
    )


def volumes(head: Matrix, channels: Sequence[tuple[str, str]]) -> list[float]:
    """The volume of each stream, -1 to 1.

    Parameters
    ----------
    head : 3 x 3
        As `head` gives it.
    channels : sequence of (channel of the head, channel of the field)
        As the streams name them: see `omniaudio_studio.foa.head_streams`.
    """
    return [1.0 if own == "W" else float(head[AXIS[field]][AXIS[own]]) for own, field in channels]
