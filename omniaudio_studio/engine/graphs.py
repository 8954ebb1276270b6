"""A bundle's graphs, each loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.devices import ProviderChoice, cpu_threads
from omniaudio_studio.engine.memory import free_bytes
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.stepping import Stepper
from omniaudio_studio.errors import BundleError

Ports = tuple[Sequence[str], Sequence[str]]

#: What a device needs besides the weights, by reckoning: the largest intermediate results, its
#: libraries' workspaces and the driver's own context.
ROOM_BYTES = 1_500_000_000
STEPPING = ("cuda",)
"""Devices whose memory is not the program's own: sampling is bound to it (see `Graphs.stepper`).

On the CPU there is nothing to save: 24 guided steps of the starter's DiT took 1.05 s of processor
time bound and plain alike (median of 7), and the sound must stay what it was to the bit.
"""


def decoders(choice: ProviderChoice) -> int:
    """Chunks that are best decoded at the same time, by threads of their own.

    Two on the CPU, each with half the cores: the runtime computes sines, a quarter of a released
    decoder's time, on one core. Decoding 10 s at that size took 14.0 s one by one and 12.3 s by
    twos (two cores).
    """
    return 2 if choice.device == "cpu" and cpu_threads() >= 2 else 1


def load_decoder(path: Path, choice: ProviderChoice, cancel: CancelToken | None = None) -> Session:
    """A decoder's graph, with its part of the cores."""
    return Session(path, choice, cancel, threads=cpu_threads() // decoders(choice))


class Graphs:
    """Sessions by their graph's key.

    Parameters
    ----------
    bundle
        A verified bundle.
    choice
        The provider that runs them.
    """

    def __init__(self, bundle: Bundle, choice: ProviderChoice) -> None:
        self._bundle = bundle
        self._choice = choice
        self._sessions: dict[str, Session] = {}
        self._stepper: Stepper | None = None
        self._loading = Lock()
        self.one_at_a_time = False

    @property
    def decoders(self) -> int:
        """Chunks that are decoded at the same time, see :func:`decoders`."""
        return decoders(self._choice)

    def get(self, key: str, cancel: CancelToken | None = None) -> Session:
        """A graph, loaded if it is not; with :attr:`one_at_a_time` all others are freed first.

        Raises
        ------
        BundleError
            If it cannot be loaded, or lacks an input or output of the contract.
        DeviceError, Cancelled
            As `Session`.
        """
        with self._loading:
            if self.one_at_a_time and any(other != key for other in self._sessions):
                self.close()
            if key not in self._sessions:
                path = self._bundle.graph(key)
                record = key == "dit" and self._choice.device in STEPPING
                if key == "vae_decoder":
                    session = load_decoder(path, self._choice, cancel)
                else:
                    session = Session(path, self._choice, cancel, record=record)
                self._check(key, session)
                self._sessions[key] = session
            return self._sessions[key]

    def stepper(self, cancel: CancelToken | None = None) -> Stepper | None:
        """The DiT bound to its device's memory, where that is of use; else None."""
        dit = self.get("dit", cancel)
        if self._choice.device not in STEPPING or not dit.floats:
            return None
        if self._stepper is None:
            self._stepper = Stepper(dit, self._choice, cancel)
        return self._stepper

    @property
    def loaded(self) -> tuple[str, ...]:
        """Keys of the graphs that are in memory."""
        return tuple(self._sessions)

    def close(self) -> None:
        """Free all graphs."""
        self._stepper = None
        self._sessions.clear()

    def too_large(self) -> bool:
        """Whether the device lacks room for the graphs that a generation needs, all at once.

        Never where the device does not say how much is free. All of them once loaded have room;
        one that was loaded alone is freed before it asks.
        """
        if self.one_at_a_time:
            self.close()
        if self._sessions:
            return False
        free = free_bytes(self._choice.device)
        return free is not None and free < self.needed_bytes() + ROOM_BYTES

    def needed_bytes(self) -> int:
        """Sizes of the files of every graph that a generation runs."""
        files = self._bundle.manifest.files_of(*self._ports())
        return sum(entry.bytes for entry in files.values())

    def _ports(self) -> dict[str, Ports]:
        """Inputs and outputs that the contract asks of each graph of a generation."""
        manifest = self._bundle.manifest
        ports: dict[str, Ports] = {
            view.graph: (["frames"], ["features"])
            for view in manifest.views
            if view.graph is not None
        }
        ports["conditioner"] = ([view.name for view in manifest.views], ["local", "global_"])
        ports["dit"] = (["x", "t", "local", "global_"], ["v"])
        ports["vae_decoder"] = (["z"], ["audio"])
        return ports

    def _check(self, key: str, session: Session) -> None:
        ports = {**self._ports(), "vae_encoder": (["audio"], ["mean"])}
        if key in ports:
            session.require(*ports[key])
        if key == "dit":
            self._check_dit(session)

    def _check_dit(self, dit: Session) -> None:
        manifest = self._bundle.manifest
        for name in manifest.guidance.drop:
            if name not in dit.inputs:
                raise BundleError(
                    f"{self._bundle.path}: guidance.drop: {name!r} is no input of the DiT; "
                    f"it has {', '.join(dit.inputs)}; correct bundle.json"
                )
        width = dit.inputs["x"][1]
        if isinstance(width, int) and width != manifest.latent.channels:
            raise BundleError(
                f"{self._bundle.path}: latent.channels: expected {width} as in the DiT, found "
                f"{manifest.latent.channels}; correct bundle.json"
            )
