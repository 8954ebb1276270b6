"""`bundle.json`: everything the engine knows about a model.

Times in seconds, rates in hertz. Latent rate times hop is the sample rate.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.bundles.fields import REPAIR, Fields
from omniaudio_studio.bundles.optional_parts import (
    REFLOW,
    check_reflow,
    check_spatializer,
    read_reflow,
    read_spatializer,
)
from omniaudio_studio.bundles.parts import (
    BundleView,
    Decoder,
    Features,
    FileEntry,
    Guidance,
    Latent,
    Licence,
    Provenance,
    ReflowPart,
    Sampler,
    SpatializerPart,
    WindowSize,
)
from omniaudio_studio.bundles.paths import DOCUMENT_SUFFIXES, safe_name, sha256_of
from omniaudio_studio.errors import BundleError, MissingFileError, OptionError
from omniaudio_studio.files import is_there
from omniaudio_studio.panorama.views import FITS, KINDS, RULES, View

SCHEMA = 1
MANIFEST_NAME = "bundle.json"
GRAPHS = ("conditioner", "dit", "vae_decoder")  # every bundle has these, and its views' graphs
RESAMPLINGS = ("nearest", "linear", "spline-aligned")
SCHEDULES = ("linear",)
CHANNELS = "WYZX"


@dataclass(frozen=True)
class Manifest:
    """The whole of `bundle.json`. Build one by :meth:`from_dict`, which checks every field."""

    name: str
    title: str
    version: str
    licence: Licence
    demonstration: bool
    provenance: Provenance
    sample_rate: int
    latent: Latent
    window: WindowSize
    views: tuple[BundleView, ...]
    features: Features
    sampler: Sampler
    guidance: Guidance
    channel_order: str
    decoder: Decoder
    precision: str
    graphs: Mapping[str, str]
    spatializer: SpatializerPart | None = None
    reflow: ReflowPart | None = None
    files: Mapping[str, FileEntry] = dataclasses.field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def window_seconds(self) -> float:
        """Trained length in seconds."""
        return self.window.length * self.latent.hop / self.sample_rate

    @property
    def sees(self) -> bool:
        """Whether every view has a graph; else the features of a clip have to be given."""
        return all(view.graph is not None for view in self.views)

    @property
    def vision_graphs(self) -> tuple[str, ...]:
        """Keys of the graphs that look at pictures, each once."""
        return tuple(dict.fromkeys(view.graph for view in self.views if view.graph is not None))

    def steps_of(self, sampler: str) -> int:
        """Steps that a sampler takes by default."""
        few = self.reflow if sampler == REFLOW else None
        return self.sampler.steps if few is None else few.steps

    def dit_of(self, sampler: str) -> str:
        """Key of the graph that a sampler runs."""
        few = self.reflow if sampler == REFLOW else None
        return "dit" if few is None else few.graph

    def files_of(self, *graphs: str) -> dict[str, FileEntry]:
        """The files of some graphs, by their keys, with the weights that lie beside them.

        Which file is whose is told by names: what belongs to no other graph (``dit.onnx``,
        ``dit.onnx.data``, ``dit.data``) counts.
        """
        own = {self.graphs[key] for key in graphs}
        stems = tuple(
            f"{name.removesuffix('.onnx')}." for name in self.graphs.values() if name not in own
        )
        return {
            name: entry
            for name, entry in self.files.items()
            if name in own or not name.startswith(stems)
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data in the order of the file."""
        data: dict[str, Any] = {"schema": self.schema}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "views":
                value = [_view_dict(item) for item in self.views]
            elif field.name == "files":
                value = {name: dataclasses.asdict(entry) for name, entry in value.items()}
            elif dataclasses.is_dataclass(value) and not isinstance(value, type):
                value = {k: _plain(v) for k, v in dataclasses.asdict(value).items()}
            elif isinstance(value, Mapping):
                value = dict(value)
            if value is not None:
                data[field.name] = value
        return data

    def to_json(self) -> str:
        """Indented JSON text, ending in a newline."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, data: Any, source: str = MANIFEST_NAME) -> Manifest:
        """Read and check plain data.

        Parameters
        ----------
        data
            What the JSON held.
        source
            Path or name for the messages.

        Raises
        ------
        BundleError
            Naming the field, what was expected, what was found and what to do.
        """
        fields = Fields(data, source)
        schema = data.get("schema")
        if schema != SCHEMA or isinstance(schema, bool):
            raise BundleError(
                f"{source}: schema: expected {SCHEMA}, found {schema!r}; "
                "update OmniAudio Studio, or get a bundle made for this version"
            )
        licence = fields.section("licence")
        provenance = fields.section("provenance", optional=True)
        latent = fields.section("latent")
        window = fields.section("window")
        features = fields.section("features")
        sampler = fields.section("sampler")
        guidance = fields.section("guidance", optional=True)
        decoder = fields.section("decoder")
        manifest = cls(
            name=_plain_name(fields, fields.text("name")),
            title=fields.text("title", fields.text("name")),
            version=fields.text("version", "1"),
            licence=Licence(
                id=licence.text("id"),
                name=licence.text("name", licence.text("id")),
                commercial=licence.flag("commercial"),
                notice=licence.text("notice", "", empty=True),
            ),
            demonstration=fields.flag("demonstration", False),
            provenance=Provenance(
                data=provenance.texts("data"),
                command=provenance.text("command", "", empty=True),
                created=provenance.text("created", "", empty=True),
                software=provenance.text("software", "", empty=True),
            ),
            sample_rate=fields.integer("sample_rate", minimum=1000, maximum=768_000),
            latent=Latent(
                rate=latent.number("rate", above=0.0),
                hop=latent.integer("hop", minimum=1, maximum=1 << 20),
                channels=latent.integer("channels", minimum=1, maximum=1 << 16),
            ),
            window=WindowSize(
                length=window.integer("length", minimum=2, maximum=1 << 20),
                overlap=window.integer("overlap", minimum=0, maximum=1 << 20),
            ),
            views=tuple(_view(item) for item in fields.sections("views")),
            features=Features(
                rate=features.number("rate", above=0.0, maximum=1000.0),
                resampling=features.choice("resampling", RESAMPLINGS, "linear"),
            ),
            sampler=Sampler(
                cfg=sampler.number("cfg", minimum=0.0, maximum=100.0),
                steps=sampler.integer("steps", minimum=1, maximum=1000),
                schedule=sampler.choice("schedule", SCHEDULES, "linear"),
            ),
            guidance=Guidance(
                drop=guidance.texts("drop"),
                rescale=guidance.number("rescale", 0.0, minimum=0.0, maximum=1.0),
            ),
            channel_order=fields.text("channel_order", CHANNELS),
            decoder=Decoder(
                context=decoder.integer("context", minimum=0, maximum=1 << 16),
                chunk=decoder.integer("chunk", minimum=1, maximum=1 << 16),
            ),
            precision=fields.text("precision", "fp32"),
            graphs=_graphs(fields, source),
            spatializer=read_spatializer(fields),
            reflow=read_reflow(fields),
            files=_files(fields, source),
        )
        manifest._check_together(fields)
        return manifest

    def _check_together(self, fields: Fields) -> None:
        """What single fields cannot tell."""
        rate = self.sample_rate / self.latent.hop
        if not math.isclose(self.latent.rate, rate, rel_tol=1e-6):
            fields.fail(
                "latent.rate",
                f"sample_rate / latent.hop = {rate:.9g} (sample_rate {self.sample_rate}, "
                f"hop {self.latent.hop})",
                self.latent.rate,
            )
        if self.window.overlap >= self.window.length:
            fields.fail(
                "window.overlap",
                f"less than window.length ({self.window.length})",
                self.window.overlap,
            )
        if sorted(self.channel_order) != sorted(CHANNELS):
            fields.fail("channel_order", f"each letter of {CHANNELS} once", self.channel_order)
        names = [view.name for view in self.views]
        for name in names:
            if names.count(name) > 1:
                fields.fail("views", "views of different names", name)
        for key in (*GRAPHS, *self.vision_graphs):
            if key not in self.graphs:
                fields.fail(f"graphs.{key}", "the name of an ONNX file", None)
        check_spatializer(fields, self.spatializer, self.graphs, self.views)
        check_reflow(fields, self.reflow, self.graphs, self.sampler.cfg)
        for key, file in self.graphs.items():
            if file not in self.files:
                fields.fail(f"files.{file}", f"sha256 and bytes of the graph {key!r}", None)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _plain_name(fields: Fields, name: str) -> str:
    """A bundle's name, which is also a folder's: no separators."""
    if not all(character.isalnum() or character in "-_. " for character in name) or name[0] in ". ":
        fields.fail("name", "letters, digits, '-', '_' and '.'", name)
    return name


def _view(item: Fields) -> BundleView:
    kind = item.choice("kind", KINDS)
    fov = item.number("fov", above=0.0, below=180.0) if "fov" in item else None
    try:
        view = View(
            name=item.text("name"),
            kind=kind,
            width=item.integer("width", minimum=1, maximum=16384),
            height=item.integer("height", minimum=1, maximum=16384),
            fov=fov,
            yaw=item.number("yaw", 0.0, minimum=-360.0, maximum=360.0),
            pitch=item.number("pitch", 0.0, minimum=-360.0, maximum=360.0),
            roll=item.number("roll", 0.0, minimum=-360.0, maximum=360.0),
            rule=item.choice("rule", RULES, "pixel-centre"),
            fit=item.choice("fit", FITS, "stretch"),
            mean=item.triple("mean", (0.0, 0.0, 0.0)),
            std=item.triple("std", (1.0, 1.0, 1.0)),
        )
    except OptionError as error:  # the view's own rules, told as the bundle's fault
        raise BundleError(f"{item.where}: {error}; {REPAIR}") from error
    # null says that there is none; a manifest that says nothing means the usual one.
    none = "graph" not in item and "graph" in item.keys()  # noqa: SIM118
    return BundleView(view=view, graph=None if none else item.text("graph", "vision"))


def _view_dict(item: BundleView) -> dict[str, Any]:
    """A view as it is in the file."""
    view = {k: _plain(v) for k, v in dataclasses.asdict(item.view).items() if v is not None}
    return {**view, "graph": item.graph}


def _graphs(fields: Fields, source: str) -> dict[str, str]:
    graphs = fields.section("graphs")
    return {
        key: safe_name(graphs.text(key), source, f"graphs.{key}")
        for key in graphs.keys()  # noqa: SIM118
    }


def _files(fields: Fields, source: str) -> dict[str, FileEntry]:
    listed = fields.section("files")
    entries: dict[str, FileEntry] = {}
    for name in listed.keys():  # noqa: SIM118
        safe_name(name, source, f"files.{name}")
        entry = listed.section(name)
        digest = entry.text("sha256").lower()
        if len(digest) != 64 or any(character not in "0123456789abcdef" for character in digest):
            entry.fail("sha256", "64 hexadecimal digits", digest)
        entries[name] = FileEntry(sha256=digest, bytes=entry.integer("bytes", minimum=0))
    return entries


def parse_manifest(text: str | bytes, source: str = MANIFEST_NAME) -> Manifest:
    """The manifest in a JSON text; BundleError where it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{source} is not JSON ({error}); get the bundle again") from error
    return Manifest.from_dict(data, source)


def load_manifest(path: str | Path) -> Manifest:
    """The manifest of a bundle: a folder, a zip, or the `bundle.json` itself.

    Raises
    ------
    MissingFileError
        If there is nothing at ``path``.
    BundleError
        If it is no bundle, or a field of the manifest is wrong.
    """
    path = Path(path)
    if not is_there(path):
        raise MissingFileError(f"no bundle at {path}; `omniaudio models list` shows the known ones")
    file = path / MANIFEST_NAME if path.is_dir() else path
    if file.suffix.lower() == ".zip":
        # Only here: reading a folder's manifest needs no zip.
        from omniaudio_studio.bundles.archive import read_member

        return parse_manifest(read_member(file, MANIFEST_NAME), f"{path}:{MANIFEST_NAME}")
    if not file.is_file():
        raise BundleError(f"{path} is no model bundle: it has no {MANIFEST_NAME}")
    try:
        return parse_manifest(file.read_bytes(), str(file))
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror or error}") from error


def write_manifest(folder: Path, manifest: Manifest | Mapping[str, Any]) -> Manifest:
    """Hash every file of a folder and write its `bundle.json`.

    Notes for people (README.md and the like) and hidden files are not listed.

    Parameters
    ----------
    folder
        Holds the graphs already.
    manifest
        A manifest, or its plain data; ``files`` (and ``schema``) are filled in here.

    Returns
    -------
    Manifest
        As written, checked.

    Raises
    ------
    BundleError
        If a field is wrong or a graph's file is missing.
    """
    data = manifest.to_dict() if isinstance(manifest, Manifest) else dict(manifest)
    data["schema"] = SCHEMA
    data["files"] = {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size}
        for name in listable_files(folder)
    }
    checked = Manifest.from_dict(data, str(folder / MANIFEST_NAME))
    (folder / MANIFEST_NAME).write_text(checked.to_json(), encoding="utf-8")
    return checked


def listable_files(folder: Path) -> list[str]:
    """Names of the files that a manifest has to list, sorted, as POSIX paths."""
    names = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        document = path.suffix.lower() in DOCUMENT_SUFFIXES or path.stem.upper() == "LICENSE"
        if path.is_file() and not hidden and not document and name != MANIFEST_NAME:
            names.append(name)
    return sorted(names)
