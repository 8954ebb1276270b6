"""The shader of the sphere, in the variants that are drawn. Needs a current context."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtOpenGL import QOpenGLFunctions_4_1_Core, QOpenGLShader, QOpenGLShaderProgram

from omniaudio_studio.panorama.dual_fisheye import DualFisheye
from omniaudio_studio.panorama.eac import EquiAngularCubeMap
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.faces import FaceLayout
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection

# Numbers of the projections in the shader.
NOTHING, EQUIRECTANGULAR, CUBE, DUAL_FISHEYE, FLAT = range(5)


class GlUnavailable(Exception):
    """OpenGL cannot draw here; the message says why, one line."""


class Variant(NamedTuple):
    """What a shader draws; see the head of sphere.frag."""

    projection: int = NOTHING
    equi_angular: bool = False
    samples: int = 1
    energy: bool = False
    grid: bool = False

    @property
    def head(self) -> str:
        """What stands in front of the shader's text."""
        lines = ["#version 330 core"]
        lines += [f"#define {name.upper()} {int(value)}" for name, value in self._asdict().items()]
        return "\n".join(lines) + "\n#line 1\n"


def projection_number(projection: Projection | None) -> tuple[int, bool]:
    """Number of a projection in the shader, and whether it is an equi-angular cube."""
    if projection is None:
        return NOTHING, False
    if isinstance(projection, Equirect):
        return EQUIRECTANGULAR, False
    if isinstance(projection, FaceLayout):
        return CUBE, isinstance(projection, EquiAngularCubeMap)
    if isinstance(projection, DualFisheye):
        return DUAL_FISHEYE, False
    if isinstance(projection, Perspective):
        return FLAT, False
    raise TypeError(f"no shader for {type(projection).__name__}")


class Shader:
    """One variant, compiled.

    Parameters
    ----------
    gl : QOpenGLFunctions_4_1_Core
    variant : Variant

    Raises
    ------
    GlUnavailable
        If the driver refuses it.
    """

    def __init__(self, gl: QOpenGLFunctions_4_1_Core, variant: Variant) -> None:
        self._gl = gl
        self._program = QOpenGLShaderProgram()
        kinds = QOpenGLShader.ShaderTypeBit
        for kind, name in ((kinds.Vertex, "sphere.vert"), (kinds.Fragment, "sphere.frag")):
            source = variant.head + shader_source(name)
            if not self._program.addShaderFromSourceCode(kind, source):
                raise GlUnavailable(
                    f"the graphics driver refuses {name}: {_first_line(self._program.log())}"
                )
        if not self._program.link():
            raise GlUnavailable(
                f"the graphics driver does not link: {_first_line(self._program.log())}"
            )
        self._places: dict[str, int] = {}

    def bind(self) -> None:
        """Use it for what is drawn and set next."""
        self._program.bind()

    def release(self) -> None:
        """Use it no more."""
        self._program.release()

    def integer(self, name: str, value: int) -> None:
        """Set a uniform; one that the variant does not have is passed over, as in OpenGL."""
        self._gl.glUniform1i(self._at(name), value)

    def numbers(self, name: str, *values: float) -> None:
        """Set one to four floats."""
        gl = self._gl
        calls: list[Any] = [gl.glUniform1f, gl.glUniform2f, gl.glUniform3f, gl.glUniform4f]
        calls[len(values) - 1](self._at(name), *values)

    def matrix(self, name: str, *matrices: NDArray[Any]) -> None:
        """Set one or an array of square matrices, (3, 3) or (4, 4)."""
        calls: dict[int, Any] = {
            3: self._gl.glUniformMatrix3fv,
            4: self._gl.glUniformMatrix4fv,
        }
        # OpenGL has columns first.
        stacked = np.stack([matrix.T for matrix in matrices]).astype(np.float32)
        calls[stacked.shape[1]](self._at(name), len(matrices), False, stacked.ravel())

    def _at(self, name: str) -> int:
        if name not in self._places:
            self._places[name] = self._program.uniformLocation(name)
        return self._places[name]


def shader_source(name: str) -> str:
    """A shader of this package."""
    return (files("qt_app.picture") / "shaders" / name).read_text(encoding="utf-8")


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
