"""The parts of a manifest: plain dataclasses, one for each object of `bundle.json`."""

from __future__ import annotations

from dataclasses import dataclass

from omniaudio_studio.panorama.views import View


@dataclass(frozen=True)
class Licence:
    """What the weights may be used for. ``commercial`` is false where that is forbidden."""

    id: str
    name: str
    commercial: bool
    notice: str = ""


@dataclass(frozen=True)
class Provenance:
    """What the model was trained on, and by which command."""

    data: tuple[str, ...] = ()
    command: str = ""
    created: str = ""
    software: str = ""


@dataclass(frozen=True)
class Latent:
    """Latent frames: ``rate`` per second, ``hop`` samples each, ``channels`` wide."""

    rate: float
    hop: int
    channels: int


@dataclass(frozen=True)
class WindowSize:
    """Trained length and the overlap of consecutive windows, in latent frames."""

    length: int
    overlap: int


@dataclass(frozen=True)
class BundleView:
    """A picture the model sees, and the key of the graph that turns it into features.

    ``graph`` is None where the bundle has none for it: its features have to be given.
    """

    view: View
    graph: str | None = "vision"

    @property
    def name(self) -> str:
        """Name of the view, which is also the conditioner's input for it."""
        return self.view.name


@dataclass(frozen=True)
class Features:
    """Pictures per second, and how the local condition reaches the latent rate."""

    rate: float
    resampling: str = "linear"


@dataclass(frozen=True)
class Sampler:
    """Defaults of the flow sampler."""

    cfg: float
    steps: int
    schedule: str = "linear"


@dataclass(frozen=True)
class ReflowPart:
    """A second flow transformer, told the guidance scale, for few steps of one evaluation each.

    Attributes
    ----------
    graph
        Key of its graph, whose inputs are those of the DiT and `guidance` [B].
    steps
        How many it takes by default.
    cfg
        Least and largest guidance scale that it knows.
    """

    graph: str
    steps: int
    cfg: tuple[float, float]


@dataclass(frozen=True)
class Guidance:
    """DiT inputs that the unconditional branch replaces by zeros; ``rescale`` is phi in [0, 1]."""

    drop: tuple[str, ...]
    rescale: float = 0.0


@dataclass(frozen=True)
class Decoder:
    """Latent frames of exact context on each side of a chunk, and the chunk's own length."""

    context: int
    chunk: int


@dataclass(frozen=True)
class SpatializerPart:
    """What the graph `spatializer` is fed: the features of one view, and a recording in bands.

    Attributes
    ----------
    view
        Name of the view whose features are cells of the panorama.
    ratio
        Sound frames on each picture frame; pictures come at `Features.rate`.
    edges
        Borders of the bands, hertz, ascending.
    window
        Seconds that a sound frame looks at.
    sources
        Most sources that it tells apart.
    length
        Picture frames that it is given at once.
    """

    view: str
    ratio: int
    edges: tuple[float, ...]
    window: float
    sources: int
    length: int


@dataclass(frozen=True)
class FileEntry:
    """What a file of the bundle must be."""

    sha256: str
    bytes: int
