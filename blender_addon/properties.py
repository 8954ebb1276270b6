"""What the user sets, kept in the .blend: on each scene, strip and object. Units as in each field.

Blender reads the annotations of these classes, so they must not be postponed.
"""

import math

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from omniaudio_studio.jobs.deliverables import DELIVERABLES, OFFERED

from . import catalogue, compat, placed_takes
from .object_properties import ObjectSettings

MAX_SEED = 2**31 - 1  # Blender's whole numbers end here
RATES = [("48000", "48 kHz", ""), ("44100", "44.1 kHz", ""), ("96000", "96 kHz", "")]
SUBTYPES = [("float32", "32-bit float", ""), ("pcm24", "24-bit", "")]
FILES = [
    (name, row.short, f"{row.label}. {row.description}", "NONE", 1 << number)
    for number, (name, row) in enumerate((name, DELIVERABLES[name]) for name in OFFERED)
]
"""What can be made of a take, as flags."""


class Shot(bpy.types.PropertyGroup):
    """A shot that begins at a frame of the scene; values that it does not set are the scene's."""

    start: IntProperty(
        name="Start", description="Frame of the scene at which the shot begins", default=1
    )
    use_cfg: BoolProperty(name="Own CFG", description="This shot has a CFG of its own")
    cfg: FloatProperty(
        name="CFG",
        description="How closely the sound follows the picture in this shot",
        min=0.0,
        max=100.0,
        soft_max=15.0,
        default=5.0,
    )
    use_seed: BoolProperty(name="Own seed", description="This shot has a seed of its own")
    seed: IntProperty(name="Seed", description="Another number, another sound", min=0, max=MAX_SEED)


class SceneSettings(bpy.types.PropertyGroup):
    """Everything about generating for one scene."""

    source: EnumProperty(
        name="Source",
        description="The 360 clip that sound is generated for",
        items=[
            ("AUTO", "Automatic", "The active movie strip, else the movie of the world"),
            ("STRIP", "Movie strip", "The active movie strip of the sequencer"),
            ("WORLD", "World", "The movie of the world's environment texture"),
        ],
        default="AUTO",
    )
    projection: EnumProperty(
        name="Projection",
        description="How the sphere lies in the picture",
        items=[
            ("auto", "From the file", "What the file says, else what its shape says"),
            ("equirectangular", "Equirectangular", ""),
            ("eac", "Equi-angular cube map", ""),
            ("cubemap", "Cube map", ""),
            ("dual-fisheye", "Dual fisheye", ""),
            ("flat", "Flat", "A usual camera's picture; what is outside of it stays black"),
        ],
        default="auto",
    )
    hfov: FloatProperty(
        name="Field of view",
        description="Of a flat picture: how wide its camera sees",
        subtype="ANGLE",
        min=math.radians(1.0),
        max=math.radians(179.0),
        default=math.radians(90.0),
    )
    camera_azimuth: FloatProperty(
        name="Camera",
        description="Where the middle of a flat picture is: positive is to the left of the front",
        subtype="ANGLE",
        min=-math.tau,
        max=math.tau,
        soft_min=-math.pi,
        soft_max=math.pi,
    )
    camera_elevation: FloatProperty(
        name="Elevation",
        description="Where the middle of a flat picture is: positive is above the horizon",
        subtype="ANGLE",
        min=-math.pi / 2,
        max=math.pi / 2,
    )
    stereo: EnumProperty(
        name="Stereo",
        description="How the two eyes lie in the picture; one of them is used",
        items=[
            ("auto", "From the file", "What the file says, else what its shape says"),
            ("mono", "One eye", ""),
            ("top-bottom", "Top and bottom", ""),
            ("left-right", "Left and right", ""),
        ],
        default="auto",
    )
    bundle: StringProperty(
        name="Model",
        description="Name or path of the model bundle",
        default="starter",
        search=catalogue.search_bundles,
        search_options={"SUGGESTION"},
    )
    use_cfg: BoolProperty(name="CFG", description="Set it here; else the model's own value is used")
    cfg: FloatProperty(
        name="CFG",
        description="How closely the sound follows the picture",
        min=0.0,
        max=100.0,
        soft_max=15.0,
        default=5.0,
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed makes the same sound; another one, another",
        min=0,
        max=MAX_SEED,
    )
    use_steps: BoolProperty(
        name="Steps", description="Set them here; else the model's own number is used"
    )
    steps: IntProperty(
        name="Steps",
        description="Steps of the sampler: more are more careful, and slower",
        min=1,
        max=1000,
        soft_max=100,
        default=24,
    )
    sampler: EnumProperty(
        name="Sampling",
        description="How sound is found; a model has to be trained for few steps",
        items=[
            ("euler", "Careful", "Many steps, each of two looks where there is guidance"),
            ("reflow", "Fast: few steps", "Few steps of one look each"),
        ],
        default="euler",
    )
    takes: IntProperty(
        name="Takes",
        description="How many results to make, each with the next seed",
        min=1,
        max=99,
        soft_max=8,
        default=1,
    )
    range: EnumProperty(
        name="Range",
        description="The part of the clip that gets sound",
        items=[
            ("CLIP", "Whole clip", "From the clip's first picture to its last"),
            ("STRIP", "What is shown", "What the strip shows of the clip, without what is trimmed"),
            ("PREVIEW", "Preview range", "The preview range of the scene"),
            ("FRAMES", "Frames", "From one frame of the scene to another"),
        ],
        default="CLIP",
    )
    first_frame: IntProperty(
        name="First", description="First frame of the scene that gets sound", default=1
    )
    last_frame: IntProperty(
        name="Last", description="Last frame of the scene that gets sound", default=250
    )
    mix: FloatProperty(
        name="Clip's own sound",
        description="Gain of the clip's own sound under what is generated",
        min=0.0,
        max=10.0,
        soft_max=1.0,
    )
    bed: EnumProperty(
        name="Under it",
        description="What of the clip's own sound lies under what is generated",
        items=[
            ("CLIP", "As recorded", "The recording, from everywhere"),
            ("PLACED", "Placed sound", "A take of the clip's own sound, placed"),
        ],
        default="CLIP",
    )
    mix_field: StringProperty(
        name="Placed sound",
        description="Name of a placed take, or path of its file; the last one where it is empty",
        search=placed_takes.search,
        search_options={"SUGGESTION"},
    )
    duck: FloatProperty(
        name="Ducking",
        description="Decibels by which what is generated steps back while the clip's own sound is "
        "heard",
        min=0.0,
        max=60.0,
        soft_max=24.0,
    )
    front_view: EnumProperty(
        name="Front view",
        description="Where in the clip the model's view to the front looks; the sound's directions "
        "stay those of the clip",
        items=[
            ("AHEAD", "Straight ahead", ""),
            ("AUTO", "Automatic", "Where sound is likely, one choice for each shot"),
            ("ANGLE", "Azimuth", "At an angle"),
        ],
        default="AHEAD",
    )
    front_azimuth: FloatProperty(
        name="Azimuth",
        description="Positive is to the left of the clip's centre",
        subtype="ANGLE",
        min=-math.tau,
        max=math.tau,
        soft_min=-math.pi,
        soft_max=math.pi,
    )
    place_method: EnumProperty(
        name="Directions",
        description="Where the clip's own sound comes from",
        items=[
            ("automatic", "Automatic", "From what moves with the sound in the picture"),
            ("learned", "Learned", "From the model's spatializer"),
            ("given", "Objects", "From the objects that carry the clip's own sound"),
        ],
        default="automatic",
    )
    recording: StringProperty(
        name="Recording",
        description="Another recording of the same time; the clip's own sound where it is empty",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    max_sources: IntProperty(
        name="Sources", description="Most directions that are looked for", min=1, max=3, default=3
    )
    width: FloatProperty(
        name="Width",
        description="How much of what comes from nowhere in particular is spread around the "
        "listener",
        min=0.0,
        max=1.0,
        default=0.3,
    )
    yaw_from_world: BoolProperty(
        name="From the world",
        description="The front is where the world looks along +X: the rotation of its environment",
        default=True,
    )
    yaw: FloatProperty(
        name="Front",
        description="Where the front of the sound is in the clip: positive is to the left of its "
        "centre",
        subtype="ANGLE",
        min=-math.tau,
        max=math.tau,
        soft_min=-math.pi,
        soft_max=math.pi,
    )
    shots: CollectionProperty(type=Shot)
    active_shot: IntProperty(name="Shot")
    folder: StringProperty(
        name="Folder",
        description="Where takes go; beside the .blend file where it is empty",
        subtype="DIR_PATH",
        options=compat.RELATIVE_PATH,
    )
    device: EnumProperty(
        name="Device",
        description="What runs the model",
        items=[
            ("auto", "Automatic", "A GPU where one works, else the CPU"),
            ("cpu", "CPU", ""),
            ("cuda", "CUDA", "An NVIDIA GPU; needs an environment of its own, see the preferences"),
            ("directml", "DirectML", "Any GPU on Windows; needs an environment of its own"),
            ("coreml", "CoreML", "A Mac's GPU"),
        ],
        default="auto",
    )
    rate: EnumProperty(
        name="Sample rate",
        description="Of the files that are written",
        items=RATES,
        default="48000",
    )
    subtype: EnumProperty(
        name="Format",
        description="Sample format of the files that are written",
        items=SUBTYPES,
        default="float32",
    )
    stems: BoolProperty(
        name="Stems",
        description="Placed objects also as a folder: of each a mono WAV and a table of its "
        "directions, as heard in the take",
    )
    files: EnumProperty(
        name="Files",
        description="What a delivery makes beside the sound field",
        items=FILES,
        options={"ENUM_FLAG"},
        default={"binaural"},
    )
    use_loudness: BoolProperty(
        name="Loudness", description="Bring the sound to a loudness; else its level is kept"
    )
    loudness: FloatProperty(
        name="Loudness",
        description="Integrated loudness in LUFS; peaks stay below -1 dBTP",
        min=-70.0,
        max=0.0,
        soft_min=-40.0,
        default=-23.0,
    )
    active_take: StringProperty(name="Take")
    preview_from: EnumProperty(
        name="Listen from",
        description="Whose view turns the sound",
        items=[
            ("VIEW", "Viewport", "The 3D viewport; the active camera while looking through it"),
            ("CAMERA", "Active camera", "The active camera, along its animation"),
        ],
        default="VIEW",
    )


class StripSettings(bpy.types.PropertyGroup):
    """On a movie strip: its name for takes. On a sound strip: what take it is, and how made."""

    role: EnumProperty(
        items=[
            ("NONE", "None", ""),
            ("CLIP", "Clip", "A clip that sound was generated for"),
            ("FOA", "Sound field", "A take's sound field, muted: Blender cannot play it"),
            ("BINAURAL", "For headphones", "A take for headphones"),
        ],
        default="NONE",
    )
    movie: StringProperty(name="Movie", description="The same on a movie strip and its takes")
    clip: StringProperty(name="Clip", description="File of the clip that a take belongs to")
    take: StringProperty(name="Take", description="Which take a strip belongs to")
    bundle: StringProperty(name="Model")
    cfg: FloatProperty(name="CFG")
    seed: StringProperty(name="Seed", description="May be larger than Blender's whole numbers")
    steps: IntProperty(name="Steps")
    yaw: FloatProperty(name="Front", subtype="ANGLE")
    world: BoolProperty(name="Of the world", description="The clip is the world's environment")
    provider: StringProperty(name="Made on")
    objects: IntProperty(name="Objects", description="Objects of the scene heard in the take")
    field: StringProperty(
        name="Without objects", description="Name of the file beside it that has none"
    )
    placed: StringProperty(
        name="Placed", description="How the clip's own sound was placed; empty in other takes"
    )
    directions: IntProperty(name="Sources", description="Directions that placed sound comes from")
    confidence: FloatProperty(
        name="Confidence", description="How surely placed sound and picture belong together"
    )


CLASSES = (Shot, SceneSettings, StripSettings, ObjectSettings)


def register() -> None:
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.omniaudio = PointerProperty(type=SceneSettings)
    bpy.types.Strip.omniaudio = PointerProperty(type=StripSettings)
    bpy.types.Object.omniaudio = PointerProperty(type=ObjectSettings)


def unregister() -> None:
    del bpy.types.Object.omniaudio
    del bpy.types.Strip.omniaudio
    del bpy.types.Scene.omniaudio
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
