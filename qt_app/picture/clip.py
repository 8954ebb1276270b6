"""What the picture needs to know of a clip: where it is and how the sphere lies in its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.panorama.projection import Projection
from omniaudio_studio.panorama.views import SOURCES, source_projection

# A flat clip does not say how wide its camera saw.
FLAT_FOV = 90.0


@dataclass(frozen=True)
class Mapped:
    """How the sphere lies in a picture of one eye.

    Attributes
    ----------
    projection : str
        One of ``panorama.views.SOURCES``.
    hfov : float
        Of "flat": horizontal field of view, degrees.
    camera : (float, float)
        Of "flat": azimuth and elevation of the picture's middle, degrees.
    aspect : float or None
        Of "flat": width over height as displayed; None: pixels are square.
    fisheye_fov : float or None
        Of "dual-fisheye": each lens's field of view, degrees; None: the usual.
    """

    projection: str = "equirectangular"
    hfov: float = FLAT_FOV
    fisheye_fov: float | None = None
    camera: tuple[float, float] = (0.0, 0.0)
    aspect: float | None = None

    def sized(self, width: int, height: int) -> Projection:
        """As a projection of pictures of this size."""
        flat = self.projection == "flat"
        return source_projection(
            self.projection,
            (width, height),
            hfov=self.hfov if flat else None,
            camera=self.camera,
            aspect=self.aspect if flat else None,
            fisheye_fov=self.fisheye_fov if self.projection == "dual-fisheye" else None,
        )


@dataclass(frozen=True)
class ShownClip:
    """A clip to look at.

    Attributes
    ----------
    path : Path
    start_time : float
        The first picture's time in the file, seconds; all other times count from it.
    duration : float
        Seconds; 0 where it is not known.
    stereo : str
        "mono", "top-bottom" or "left-right".
    left_eye_first : bool
        Whether the upper (or left) half is the left eye, the one that is shown.
    mapped : Mapped
    """

    path: Path
    start_time: float = 0.0
    duration: float = 0.0
    stereo: str = "mono"
    left_eye_first: bool = True
    mapped: Mapped = Mapped()

    @classmethod
    def from_info(cls, info: Mapping[str, Any]) -> ShownClip:
        """From ``ClipInfo.as_dict()``, with "fisheye_fov" (degrees) where known.

        What cannot be mapped onto the sphere (VR180, meshes, ...) is shown flat.
        """
        projection = str(info.get("projection", "equirectangular"))
        lens = info.get("fisheye_fov")
        azimuth, elevation = info.get("camera") or (0.0, 0.0)
        pixel = float(info.get("pixel_aspect") or 1.0)
        height = float(info.get("height") or 0.0)
        return cls(
            path=Path(info["path"]),
            start_time=float(info.get("start_time") or 0.0),
            duration=float(info.get("duration") or 0.0),
            stereo=str(info.get("stereo", "mono")),
            left_eye_first=bool(info.get("left_eye_first", True)),
            mapped=Mapped(
                projection if projection in SOURCES else "flat",
                float(info.get("hfov") or FLAT_FOV),
                None if lens is None else float(lens),
                (float(azimuth), float(elevation)),
                float(info["width"]) * pixel / height if height else None,
            ),
        )
