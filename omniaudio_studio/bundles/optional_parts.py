"""Sections that some manifests have: what they say, and the graphs that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omniaudio_studio.bundles.fields import Fields
from omniaudio_studio.bundles.parts import BundleView, ReflowPart, SpatializerPart

SPATIALIZER = "spatializer"  # a graph, and the section about it
REFLOW = "reflow"  # a section, which names its graph


def read_spatializer(fields: Fields) -> SpatializerPart | None:
    """The section of a manifest, None where it has none."""
    if SPATIALIZER not in fields:
        return None
    part = fields.section(SPATIALIZER)
    return SpatializerPart(
        view=part.text("view"),
        ratio=part.integer("ratio", minimum=1, maximum=64),
        edges=part.ascending("edges"),
        window=part.number("window", above=0.0, maximum=10.0),
        sources=part.integer("sources", minimum=1, maximum=16),
        length=part.integer("length", minimum=1, maximum=1 << 16),
    )


def check_spatializer(
    fields: Fields,
    part: SpatializerPart | None,
    graphs: Mapping[str, str],
    views: Sequence[BundleView],
) -> None:
    """The section and the graph belong together; its view is one of the sphere."""
    if part is None:
        if SPATIALIZER in graphs:
            fields.fail(SPATIALIZER, f"an object, for the graph {SPATIALIZER!r}", None)
        return
    if SPATIALIZER not in graphs:
        fields.fail(f"graphs.{SPATIALIZER}", "the name of an ONNX file", None)
    spheres = [view.name for view in views if view.view.kind == "equirect"]
    if part.view not in spheres:
        expected = " or ".join(spheres) or "a view, but none is of kind equirect"
        fields.fail(f"{SPATIALIZER}.view", expected, part.view)
    blind = [view.name for view in views if view.graph is None]
    if part.view in blind:
        fields.fail(f"{SPATIALIZER}.view", "a view with a graph", part.view)


def read_reflow(fields: Fields) -> ReflowPart | None:
    """The section of a manifest, None where it has none."""
    if REFLOW not in fields:
        return None
    part = fields.section(REFLOW)
    scales = part.ascending("cfg")
    if len(scales) != 2:
        part.fail("cfg", "two numbers, the least and the largest", list(scales))
    return ReflowPart(
        graph=part.text("graph"),
        steps=part.integer("steps", minimum=1, maximum=1000),
        cfg=(scales[0], scales[1]),
    )


def check_reflow(
    fields: Fields, part: ReflowPart | None, graphs: Mapping[str, str], cfg: float
) -> None:
    """The graph is there, and the bundle's own guidance is one that it knows."""
    if part is None:
        return
    if part.graph not in graphs:
        fields.fail(f"graphs.{part.graph}", "the name of an ONNX file", None)
    if not part.cfg[0] <= cfg <= part.cfg[1]:
        fields.fail(f"{REFLOW}.cfg", f"a range that sampler.cfg ({cfg:g}) is in", list(part.cfg))
