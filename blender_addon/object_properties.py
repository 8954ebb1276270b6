"""What the user sets on an object, kept in the .blend. Units as in each field.

Blender reads the annotations of this class, so they must not be postponed.
"""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import compat


class ObjectSettings(bpy.types.PropertyGroup):
    """An object as a source of sound, as the place of the clip's own sound, and as a hint."""

    is_source: BoolProperty(
        name="Sound source", description="This object is heard in the sound field, where it is"
    )
    file: StringProperty(
        name="File",
        description="What is heard; mixed to mono",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    volume: FloatProperty(
        name="Volume",
        description="Gain at the reference distance; can be animated",
        min=0.0,
        max=100.0,
        soft_max=2.0,
        default=1.0,
    )
    start: IntProperty(
        name="Start", description="Frame of the scene at which the file begins", default=1
    )
    loop: BoolProperty(name="Loop", description="Begin again at the end of the file")
    use_distance: BoolProperty(
        name="Distance",
        description="What is farther away is quieter: inverse distance, clamped",
        default=True,
    )
    reference: FloatProperty(
        name="Reference",
        description="Up to this distance the sound has its full volume",
        subtype="DISTANCE",
        min=0.001,
        default=1.0,
    )
    rolloff: FloatProperty(
        name="Attenuation",
        description="How fast it gets quieter beyond the reference distance",
        min=0.0,
        soft_max=4.0,
        default=1.0,
    )
    use_max_distance: BoolProperty(
        name="Limit", description="Beyond this distance it gets no quieter"
    )
    max_distance: FloatProperty(name="Maximum", subtype="DISTANCE", min=0.001, default=100.0)
    delay: BoolProperty(
        name="Delay",
        description="Sound takes its time to arrive, 343 m a second, with the Doppler effect",
    )
    carries_sound: BoolProperty(
        name="Carries the clip's own sound",
        description="The clip's own sound comes from where this object is, when it is placed",
    )
    share: FloatProperty(
        name="Share",
        description="How much of the sound comes from here, the rest from everywhere; can be "
        "animated",
        min=0.0,
        max=1.0,
        default=1.0,
    )
    stem: StringProperty(
        name="Stem",
        description="The part of the recording that comes from here, in a file as long as the "
        "clip; the recording as a whole where it is empty",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )
    is_hint: BoolProperty(
        name="Hint", description="What is generated is pulled towards where this object is"
    )
    strength: FloatProperty(
        name="Strength",
        description="How far it is pulled; 0 changes nothing",
        min=0.0,
        max=1.0,
        default=0.5,
        options=set(),
    )
    hint_range: EnumProperty(
        name="When",
        items=[
            ("CLIP", "Whole clip", "From the clip's first picture to its last"),
            ("FRAMES", "Frames", "From one frame of the scene to another"),
        ],
        default="CLIP",
    )
    hint_first: IntProperty(
        name="First", description="First frame of the scene at which it pulls", default=1
    )
    hint_last: IntProperty(
        name="Last", description="Last frame of the scene at which it pulls", default=250
    )
