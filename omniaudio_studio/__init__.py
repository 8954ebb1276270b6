"""OmniAudio Studio: spatial sound for 360 video."""

__version__ = "0.1.0"
