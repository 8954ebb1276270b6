"""All settings of a clip as a form: fields in sections, in the order one goes through them."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from omniaudio_studio.jobs.request import (
    DEVICES,
    MAX_DUCK,
    MAX_FEATURE_RATE,
    MAX_RATE,
    MAX_STEPS,
    MAX_TAKES,
    MIN_RATE,
    PROJECTIONS,
    STEREO_LAYOUTS,
)
from omniaudio_studio.jobs.spatialize_request import MOST_FOUND
from qt_app.models.catalogue import BundleChoice, Catalogue
from qt_app.models.library_rows import PROJECTION_NAMES, STEREO_NAMES
from qt_app.models.presets import Presets
from qt_app.models.settings import ClipSettings
from qt_app.widgets.bundle_field import BundleField
from qt_app.widgets.direction_fields import (
    BedField,
    CameraField,
    DirectionsField,
    FrontViewField,
    RecordingField,
)
from qt_app.widgets.form import Section, tool_button
from qt_app.widgets.number_edit import CLOCK, decimal, whole
from qt_app.widgets.outputs_field import OutputsField
from qt_app.widgets.place_fields import FolderField, ShotsField
from qt_app.widgets.preset_bar import PresetBar
from qt_app.widgets.setting_fields import (
    OWN_TEXT,
    ChoiceField,
    NumberField,
    SettingField,
)
from qt_app.widgets.sound_fields import CfgField, MixField, SeedField

_STEPS = 24  # where the arrows start while the model is not known
_LOUDNESS = -23.0  # EBU R 128
_DEVICE_NAMES = {
    "auto": "Automatic",
    "cpu": "CPU",
    "cuda": "NVIDIA GPU (CUDA)",
    "directml": "GPU (DirectML)",
    "coreml": "Apple GPU (Core ML)",
}


class SettingForm(QWidget):
    """The fields, each of which says what was edited; ``show_settings`` fills them all."""

    def __init__(
        self, presets: Presets, catalogue: Catalogue, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._catalogue = catalogue
        self._settings: Sequence[ClipSettings] = ()
        self._choice: BundleChoice | None = None
        self.presets = PresetBar(presets)
        self.bundle = BundleField(catalogue)
        self.cfg = CfgField()
        self.seed = SeedField()
        self.steps = NumberField(
            "steps",
            "S&teps",
            whole(1, MAX_STEPS),
            optional=OWN_TEXT,
            base=_STEPS,
            tip="More steps take longer and follow the model more closely.",
        )
        self.sampler = ChoiceField(
            "sampler",
            "Sampling",
            [("euler", "Careful"), ("reflow", "Fast: few steps")],
            tip="Fast needs a model that was trained for few steps.",
        )
        self.takes = NumberField(
            "takes",
            "Ta&kes",
            whole(1, MAX_TAKES),
            tip="Results in one go, with seeds one after the other.",
        )
        self.front = FrontViewField()
        self.start = NumberField("start", "From", CLOCK, tip="Where in the clip sound begins.")
        self.duration = NumberField(
            "duration",
            "Le&ngth",
            CLOCK,
            optional="to the end of the clip",
            base=0.0,
            tip="How much of the clip gets sound. Empty: to its end.",
        )
        self.shots = ShotsField()
        self.mix = MixField()
        self.bed = BedField()
        self.duck = NumberField(
            "duck",
            "Step back",
            decimal(0.0, MAX_DUCK, 1.0, 1, "dB"),
            tip="By how much the generated field steps back while the camera's sound is heard.",
        )
        self.yaw = NumberField(
            "yaw",
            "Fr&ont",
            decimal(-360.0, 360.0, 5.0, 2, "°"),
            tip="Degrees to the left: what is there in the picture becomes the front of the WAV.",
        )
        self.front_button = tool_button("head-tracking", "Make the centre of the view the front")
        self.front_button.hide()
        self.loudness = NumberField(
            "loudness",
            "Lou&dness",
            decimal(-70.0, 0.0, 1.0, 1, "LUFS"),
            optional="as it comes",
            base=_LOUDNESS,
            tip="Integrated loudness to reach. Empty: the level is kept.",
        )
        self.deliverables = OutputsField()
        self.folder = FolderField()
        self.projection = ChoiceField(
            "projection",
            "Pro&jection",
            [(name, _first_upper(PROJECTION_NAMES[name])) for name in PROJECTIONS],
            tip="How the sphere lies in the picture, where the file does not say it right.",
        )
        self.stereo = ChoiceField(
            "stereo",
            "Stereo la&yout",
            [(name, _first_upper(STEREO_NAMES[name])) for name in STEREO_LAYOUTS],
            tip="Where the two eyes' pictures lie.",
        )
        self.hfov = NumberField(
            "hfov",
            "Field of view",
            decimal(1.0, 179.0, 5.0, 1, "°"),
            tip="How wide a flat picture is, from its left edge to its right one.",
        )
        self.camera = CameraField()
        self.directions = DirectionsField()
        self.recording = RecordingField()
        self.max_sources = NumberField(
            "max_sources",
            "At most",
            whole(1, MOST_FOUND),
            tip="So many sources are looked for.",
        )
        self.spread = NumberField(
            "width",
            "Width",
            decimal(0.0, 1.0, 0.1, 2),
            tip="How far what comes from nowhere in particular is spread around you: 0 to 1.",
        )
        self.feature_rate = NumberField(
            "feature_rate",
            "Pictures",
            decimal(0.1, MAX_FEATURE_RATE, 1.0, 3, "per s"),
            optional=OWN_TEXT,
            base=4.0,
            tip="Pictures per second that the model looks at.",
        )
        self.device = ChoiceField(
            "device",
            "Device",
            [(name, _DEVICE_NAMES[name]) for name in DEVICES],
            tip="Where the model runs.",
        )
        self.rate = NumberField(
            "rate",
            "Sample &rate",
            whole(MIN_RATE, MAX_RATE, 100),
            base=48_000,
            tip="Of the WAV, in hertz. 48000 is usual with video.",
        )
        self.subtype = ChoiceField(
            "subtype",
            "Sa&mples",
            [("float32", "32 bit float"), ("pcm24", "24 bit")],
            tip="How the WAV holds its samples.",
        )
        self.fields: tuple[SettingField, ...] = (
            self.bundle,
            self.cfg,
            self.seed,
            self.sampler,
            self.steps,
            self.takes,
            self.front,
            self.start,
            self.duration,
            self.shots,
            self.mix,
            self.bed,
            self.duck,
            self.yaw,
            self.loudness,
            self.deliverables,
            self.folder,
            self.directions,
            self.recording,
            self.max_sources,
            self.spread,
            self.projection,
            self.hfov,
            self.camera,
            self.stereo,
            self.feature_rate,
            self.device,
            self.rate,
            self.subtype,
        )
        self._lay_out()
        self.bundle.shown.connect(self._bundle_shown)
        catalogue.changed.connect(self._devices_known)
        self._devices_known()

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """Show what these clips have in common; at least one."""
        self._settings = settings
        self._own_steps()
        self.presets.show_settings(settings)
        for field in self.fields:
            field.show_settings(settings)
        mixed = any(item.mix > 0 for item in settings)
        flat = any(item.projection == "flat" for item in settings)
        found = any(item.method != "given" for item in settings)
        # What would have no effect is not shown.
        for field, on in (
            (self.bed, mixed),
            (self.duck, mixed),
            (self.hfov, flat),
            (self.camera, flat),
            (self.max_sources, found),
        ):
            field.setVisible(on)

    def _lay_out(self) -> None:
        self.advanced = Section("Advanced", foldable=True)
        self.yaw.row.add_beside(self.front_button)
        sections: list[tuple[Section, tuple[QWidget, ...]]] = [
            (Section("Model"), (self.bundle,)),
            (
                Section("Generation"),
                (self.cfg, self.seed, self.sampler, self.steps, self.takes, self.front),
            ),
            (Section("Range and shots"), (self.start, self.duration, self.shots)),
            (Section("Sound"), (self.mix, self.bed, self.duck, self.yaw, self.loudness)),
            (
                Section("My own sound"),
                (self.directions, self.recording, self.max_sources, self.spread),
            ),
            (Section("Output"), (self.deliverables, self.folder)),
            (
                self.advanced,
                (
                    self.projection,
                    self.hfov,
                    self.camera,
                    self.stereo,
                    self.feature_rate,
                    self.device,
                    self.rate,
                    self.subtype,
                ),
            ),
        ]
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(14)
        column.addWidget(self.presets)
        for section, rows in sections:
            for row in rows:
                section.add(row)
            column.addWidget(section)
        column.addStretch(1)

    def _bundle_shown(self, choice: BundleChoice | None) -> None:
        self.cfg.set_bundle(choice)
        self.directions.offer(learned=choice is not None and choice.spatializer)
        self._choice = choice
        self._own_steps()
        if self._settings:
            self.steps.show_settings(self._settings)
            self.directions.show_settings(self._settings)

    def _own_steps(self) -> None:
        """What an empty field for steps stands for, and whether there is a fast way to be chosen
        (or one that was chosen, to be left)."""
        choice = self._choice
        steps = None if choice is None else choice.steps
        fast = bool(self._settings) and all(item.sampler == "reflow" for item in self._settings)
        if choice is not None and fast:
            steps = choice.few_steps
        few = choice is not None and choice.few_steps is not None
        self.sampler.setVisible(few or any(item.sampler != "euler" for item in self._settings))
        self.steps.set_empty_text(OWN_TEXT if steps is None else f"own ({steps})", steps or _STEPS)

    def _devices_known(self) -> None:
        choices = []
        for device in self._catalogue.devices:
            words = _DEVICE_NAMES.get(device.value, device.value)
            missing = device.available is False
            choices.append((device.value, f"{words}: not here" if missing else words))
        self.device.set_choices(choices)
        for at, device in enumerate(self._catalogue.devices):
            self.device.combo.setItemData(at, device.why, Qt.ItemDataRole.ToolTipRole)
        if self._settings:
            self.device.show_settings(self._settings)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
