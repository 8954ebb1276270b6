"""The world's environment texture: which movie it shows, and how it is turned.

The field's axes are Blender's world axes: +X front, +Y left, +Z up. An environment texture that is
not turned shows the centre of its picture along +X.
"""

from __future__ import annotations

import math
from typing import Any

from mathutils import Euler, Matrix, Vector

from omniaudio_studio.errors import OptionError

_EPSILON = 1e-5


def has_environment(scene: Any) -> bool:
    """Whether the scene's world shows an environment texture with an image."""
    return _find(scene) is not None


def environment(scene: Any) -> Any:
    """The environment texture's node that the world shows.

    Raises
    ------
    OptionError
        If there is none.
    """
    node = _find(scene)
    if node is None:
        raise OptionError(
            "the world shows no environment texture; open the 360 movie in an Environment Texture "
            "node of the world, connected to its background"
        )
    return node


def lookup(scene: Any) -> Matrix:
    """The rotation (3 x 3) from a direction in the world to that in the picture.

    What lies between the texture coordinate and the texture: mapping nodes that rotate.

    Raises
    ------
    OptionError
        If the picture is mirrored, or placed in a way that is no rotation.
    """
    socket = environment(scene).inputs["Vector"]
    turns: list[Matrix] = []
    while socket.is_linked:
        link = socket.links[0]
        before = link.from_node
        if before.type == "REROUTE":
            socket = before.inputs[0]
        elif before.type == "MAPPING":
            if not before.mute:
                turns.append(_rotation(before))
            socket = before.inputs["Vector"]
        elif before.type == "TEX_COORD" and link.from_socket.name in ("Generated", "Object"):
            if link.from_socket.name == "Object" and before.object is not None:
                # Seen from the object: its own turn is taken out of the direction.
                turns.append(before.object.matrix_world.to_quaternion().to_matrix().transposed())
            break
        else:
            raise OptionError(
                f"the environment's direction comes from {before.name} ({link.from_socket.name}), "
                "which sound cannot follow; turn the picture with a Mapping node behind Texture "
                "Coordinate > Generated"
            )
    matrix = Matrix.Identity(3)
    for turn in reversed(turns):
        matrix = turn @ matrix
    return matrix


def front_yaw(scene: Any) -> float:
    """Radians: where in the clip the world's +X looks; positive is left of the clip's centre."""
    front = lookup(scene) @ Vector((1.0, 0.0, 0.0))
    return math.atan2(front.y, front.x)


def is_tilted(scene: Any) -> bool:
    """Whether the environment is turned about another axis than the vertical one too."""
    return (lookup(scene) @ Vector((0.0, 0.0, 1.0))).z < 1.0 - _EPSILON


def field_rotation(scene: Any, yaw: float) -> Matrix:
    """The rotation (3 x 3) from the axes of a field of the world's clip to the world's.

    Parameters
    ----------
    yaw
        Radians: what is at this azimuth in the clip is the field's front. With the yaw of
        `front_yaw` and no tilt this is the identity.
    """
    return lookup(scene).transposed() @ Matrix.Rotation(yaw, 3, "Z")


def _rotation(mapping: Any) -> Matrix:
    if "Rotation" not in mapping.inputs:
        raise OptionError(f"the mapping node {mapping.name} has no rotation; set its type to Point")
    linked = [name for name in ("Rotation", "Scale", "Location") if _linked(mapping, name)]
    if linked:
        raise OptionError(
            f"the {linked[0].lower()} of the mapping node {mapping.name} comes from another node, "
            "which sound cannot follow; set or animate its value instead"
        )
    turned: Matrix = Euler(mapping.inputs["Rotation"].default_value, "XYZ").to_matrix()
    scale = Vector(mapping.inputs["Scale"].default_value)
    if min(scale) <= 0.0:
        raise OptionError(
            f"the mapping node {mapping.name} mirrors the environment, which swaps sides; set its "
            "scale to 1"
        )
    if max(scale) - min(scale) > _EPSILON:
        raise OptionError(
            f"the mapping node {mapping.name} stretches the environment; set its scale to 1"
        )
    if mapping.vector_type in ("POINT", "TEXTURE") and (
        Vector(mapping.inputs["Location"].default_value).length > _EPSILON
    ):
        raise OptionError(
            f"the mapping node {mapping.name} moves the environment, which is no turn of it; set "
            "its location to 0"
        )
    return turned.transposed() if mapping.vector_type == "TEXTURE" else turned


def _linked(node: Any, name: str) -> bool:
    return name in node.inputs and node.inputs[name].is_linked


def _find(scene: Any) -> Any | None:
    """The nearest environment texture with an image, going back from the world's output."""
    tree = scene.world.node_tree if scene.world is not None else None
    if tree is None:
        return None
    output = tree.get_output_node("ALL") or tree.get_output_node("CYCLES")
    waiting = [output] if output is not None else []
    seen = set()
    while waiting:
        node = waiting.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.type == "TEX_ENVIRONMENT" and node.image is not None:
            return node
        for socket in node.inputs:
            waiting += [link.from_node for link in socket.links]
    return None
