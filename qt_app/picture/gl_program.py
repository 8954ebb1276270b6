"""The sphere drawn by OpenGL: one shader, three planes, no geometry. Needs a current context."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PyQt6.QtGui import QColor, QOpenGLContext, QSurfaceFormat
from PyQt6.QtOpenGL import (
    QOpenGLFramebufferObject,
    QOpenGLFunctions_4_1_Core,
    QOpenGLVersionFunctionsFactory,
    QOpenGLVersionProfile,
    QOpenGLVertexArrayObject,
)

from omniaudio_studio.panorama.dual_fisheye import DualFisheye
from omniaudio_studio.panorama.faces import FaceLayout
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.sphere import orientation
from qt_app.picture.energy import ramp
from qt_app.picture.frames import Picture, Plane
from qt_app.picture.gl_shader import GlUnavailable, Shader, Variant, projection_number
from qt_app.picture.scene import Scene, samples_per_pixel

# Values of the GL specification (PyQt6 has none).
_TEXTURE_2D, _TEXTURE0 = 0x0DE1, 0x84C0
_MIN_FILTER, _MAG_FILTER, _WRAP_S, _WRAP_T = 0x2801, 0x2800, 0x2802, 0x2803
_LINEAR, _REPEAT, _CLAMP_TO_EDGE = 0x2601, 0x2901, 0x812F
_R8, _RED, _RGBA8, _RGBA = 0x8229, 0x1903, 0x8058, 0x1908
_UNSIGNED_BYTE, _UNPACK_ALIGNMENT, _TRIANGLES = 0x1401, 0x0CF5, 0x0004
_DEPTH_TEST, _BLEND, _CULL_FACE, _SCISSOR_TEST = 0x0B71, 0x0BE2, 0x0B44, 0x0C11

_READ_FRAMEBUFFER, _DRAW_FRAMEBUFFER, _FRAMEBUFFER = 0x8CA8, 0x8CA9, 0x8D40
_COLOR_BUFFER_BIT, _RENDERER = 0x4000, 0x1F01

# Renderers that compute pixels by the CPU, about 30 ns each. Views of more pixels than the first
# number are drawn with the second and enlarged, which costs less; a panorama 1920 pixels wide has
# no more than that to show.
_BY_CPU = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "basic render")
_DEAR, _AFFORDABLE = 300_000, 230_000
# Points they may look up for one view: small views take several per pixel.
_MOST_POINTS = 640_000

# Texture units, in this order.
_PLANES = ("luma_plane", "cb_plane", "cr_plane")
_RAMP = 3


class SphereProgram:
    """Textures and shaders.

    Parameters
    ----------
    context : QOpenGLContext
        Current, 4.1 core or later.

    Raises
    ------
    GlUnavailable
        If the context is too old or the shader does not compile.
    """

    def __init__(self, context: QOpenGLContext | None) -> None:
        self._gl = _functions(context)
        # The core profile draws nothing without one, be it empty.
        self._vertices = QOpenGLVertexArrayObject()
        if not self._vertices.create():
            raise GlUnavailable("OpenGL gives no vertex array")
        self._shaders = {Variant(): Shader(self._gl, Variant())}
        self._textures = [self._texture(_REPEAT) for _ in _PLANES]
        self._textures.append(self._texture(_CLAMP_TO_EDGE))
        self._sizes: list[tuple[int, ...]] = [() for _ in _PLANES]
        self._loaded: Picture | None = None
        self._load_ramp()
        # Mesa and others stand in for a missing graphics card: then pixels are dear.
        name = str(self._gl.glGetString(_RENDERER)).lower()
        self.by_cpu = any(known in name for known in _BY_CPU)
        self._small: QOpenGLFramebufferObject | None = None

    def draw(
        self, scene: Scene, width: int, height: int, target: int, grid: QColor, back: QColor
    ) -> None:
        """Fill a framebuffer.

        Parameters
        ----------
        scene : Scene
        width, height : int
            Device pixels.
        target : int
            OpenGL's number of the framebuffer; it is current.
        grid, back : QColor
            Of the grid (with its opacity) and of the view without a picture.

        Raises
        ------
        GlUnavailable
            If the driver refuses the shader that this scene needs.
        """
        if not self.by_cpu or width * height <= _DEAR:
            self._fill(scene, width, height, grid, back)
            return
        gl = self._gl
        scale = math.sqrt(_AFFORDABLE / (width * height))
        small = (max(round(width * scale), 1), max(round(height * scale), 1))
        if self._small is None or (self._small.width(), self._small.height()) != small:
            self._small = QOpenGLFramebufferObject(*small)
        self._small.bind()
        gl.glViewport(0, 0, *small)
        self._fill(scene, *small, grid, back)
        gl.glBindFramebuffer(_READ_FRAMEBUFFER, self._small.handle())
        gl.glBindFramebuffer(_DRAW_FRAMEBUFFER, target)
        gl.glBlitFramebuffer(0, 0, *small, 0, 0, width, height, _COLOR_BUFFER_BIT, _LINEAR)
        gl.glBindFramebuffer(_FRAMEBUFFER, target)
        gl.glViewport(0, 0, width, height)

    def _fill(self, scene: Scene, width: int, height: int, grid: QColor, back: QColor) -> None:
        gl, picture = self._gl, scene.picture
        projection = (
            None if picture is None else picture.mapped.sized(picture.width, picture.height)
        )
        shader = self._shader(scene, projection, width, height)
        # A painter that drew before may have left anything switched on.
        for switch in (_DEPTH_TEST, _BLEND, _CULL_FACE, _SCISSOR_TEST):
            gl.glDisable(switch)
        if picture is not None and picture is not self._loaded:
            for unit, plane in enumerate((picture.luma, picture.cb, picture.cr)):
                self._upload(unit, plane)
            self._loaded = picture
        for unit, texture in enumerate(self._textures):
            gl.glActiveTexture(_TEXTURE0 + unit)
            gl.glBindTexture(_TEXTURE_2D, texture)
        shader.bind()
        across = math.tan(scene.fov / 2)
        shader.numbers("reach", across, across * height / width)
        shader.numbers("pixel", 2 / width, 2 / height)
        shader.matrix("turn", scene.turn)
        shader.numbers("grid_colour", grid.redF(), grid.greenF(), grid.blueF(), grid.alphaF())
        shader.numbers("background", back.redF(), back.greenF(), back.blueF())
        shader.integer("ramp", _RAMP)
        if scene.energy is not None:
            shader.numbers("energy_strength", scene.energy.strength)
            shader.matrix("energy", scene.energy.matrix)
        if picture is not None and projection is not None:
            _set_picture(shader, picture, projection)
        self._vertices.bind()
        gl.glDrawArrays(_TRIANGLES, 0, 3)
        self._vertices.release()
        shader.release()
        gl.glActiveTexture(_TEXTURE0)

    def free(self) -> None:
        """Give everything back; the context must be current."""
        self._gl.glDeleteTextures(len(self._textures), self._textures)
        self._vertices.destroy()
        self._shaders.clear()
        self._small = None

    def _shader(
        self, scene: Scene, projection: Projection | None, width: int, height: int
    ) -> Shader:
        number, angular = projection_number(projection)
        samples = 1 if projection is None else samples_per_pixel(projection, scene.fov, width)
        while self.by_cpu and samples > 1 and samples**2 * width * height > _MOST_POINTS:
            samples -= 1
        variant = Variant(
            number,
            angular,
            samples,
            scene.energy is not None,
            scene.grid,
        )
        if variant not in self._shaders:
            self._shaders[variant] = Shader(self._gl, variant)
        return self._shaders[variant]

    def _upload(self, unit: int, plane: Plane) -> None:
        gl = self._gl
        height, width = plane.shape
        gl.glActiveTexture(_TEXTURE0 + unit)
        gl.glBindTexture(_TEXTURE_2D, self._textures[unit])
        gl.glPixelStorei(_UNPACK_ALIGNMENT, 1)
        values: Any = plane.ravel()
        kind = (_RED, _UNSIGNED_BYTE, values)
        if self._sizes[unit] == plane.shape:
            gl.glTexSubImage2D(_TEXTURE_2D, 0, 0, 0, width, height, *kind)
        else:
            gl.glTexImage2D(_TEXTURE_2D, 0, _R8, width, height, 0, *kind)
            self._sizes[unit] = plane.shape
        # Painters take the usual value for granted.
        gl.glPixelStorei(_UNPACK_ALIGNMENT, 4)

    def _texture(self, wrap: int) -> int:
        gl = self._gl
        made: Any = gl.glGenTextures(1)
        gl.glBindTexture(_TEXTURE_2D, made)
        for parameter in (_MIN_FILTER, _MAG_FILTER):
            gl.glTexParameteri(_TEXTURE_2D, parameter, _LINEAR)
        gl.glTexParameteri(_TEXTURE_2D, _WRAP_S, wrap)
        gl.glTexParameteri(_TEXTURE_2D, _WRAP_T, _CLAMP_TO_EDGE)
        return int(made)

    def _load_ramp(self) -> None:
        colours, opacity = ramp()
        alpha = np.round(opacity * 255).astype(np.uint8)
        values: Any = np.hstack([colours, alpha[:, None]]).ravel()
        self._gl.glActiveTexture(_TEXTURE0 + _RAMP)
        self._gl.glBindTexture(_TEXTURE_2D, self._textures[_RAMP])
        self._gl.glTexImage2D(_TEXTURE_2D, 0, _RGBA8, 256, 1, 0, _RGBA, _UNSIGNED_BYTE, values)


def _set_picture(shader: Shader, picture: Picture, projection: Projection) -> None:
    """What the shader must know of the picture besides its pixels."""
    for unit, name in enumerate(_PLANES):
        shader.integer(name, unit)
    rows, columns = picture.cb.shape
    shader.numbers("size", picture.width, picture.height)
    shader.numbers("chroma_size", columns, rows)
    shader.matrix("to_rgb", np.vstack([picture.to_rgb, [0.0, 0.0, 0.0, 1.0]]))
    if isinstance(projection, FaceLayout):
        shader.matrix("faces", *np.asarray(projection.faces, np.float32))
    elif isinstance(projection, DualFisheye):
        shader.numbers("radii", *projection.radii)
        shader.numbers("half_lens", math.radians(projection.fov) / 2)
        shader.numbers("overlap", _overlap(projection))
    elif isinstance(projection, Perspective):
        shader.numbers("flat_step", *projection.pixel_angle)
        turn = orientation(projection.yaw, projection.pitch, projection.roll)
        shader.matrix("to_camera", np.asarray(turn.T, np.float32))


def _overlap(lenses: DualFisheye) -> float:
    """Radians over which two lenses are mixed, 0 for none: from the share's slope at the border."""
    near = 1e-4
    ahead = np.array([math.sin(near), math.cos(near), 0.0])
    share = float(lenses.front_share(ahead))
    return 0.0 if share >= 1.0 else near / (share - 0.5)


def _functions(context: QOpenGLContext | None) -> QOpenGLFunctions_4_1_Core:
    profile = QOpenGLVersionProfile()
    profile.setVersion(4, 1)
    profile.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    functions = QOpenGLVersionFunctionsFactory.get(profile, context)
    if (
        not isinstance(functions, QOpenGLFunctions_4_1_Core)
        or not functions.initializeOpenGLFunctions()
    ):
        version = "none" if context is None else "{}.{}".format(*context.format().version())
        raise GlUnavailable(f"OpenGL 4.1 core is needed, found {version}")
    return functions
