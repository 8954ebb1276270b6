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
from omniaudio_studio.jobs.request import SAMPLERS

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
        self._steppers: dict[str, Stepper] = {}
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
                record = key in self._dits and self._choice.device in STEPPING
                if key == "vae_decoder":
                    session = load_decoder(path, self._choice, cancel)
                else:
                    session = Session(path, self._choice, cancel, record=record)
                self._check(key, session)
                self._sessions[key] = session
            return self._sessions[key]

    @property
    def _dits(self) -> set[str]:
        """Keys of the bundle's flow transformers, one for each sampler."""
        return {self._bundle.manifest.dit_of(sampler) for sampler in SAMPLERS}

    def stepper(self, key: str, cancel: CancelToken | None = None) -> Stepper | None:
        """A DiT bound to its device's memory, where that is of use; else None."""
        dit = self.get(key, cancel)
        if self._choice.device not in STEPPING or not dit.floats:
            return None
        if key not in self._steppers:
            self._steppers[key] = Stepper(dit, self._choice, cancel)
        return self._steppers[key]

    @property
    def loaded(self) -> tuple[str, ...]:
        """Keys of the graphs that are in memory."""
        return tuple(self._sessions)

    def close(self) -> None:
        """Free all graphs."""
        self._steppers.clear()
        self._sessions.clear()

    def too_large(self, sampler: str = "euler") -> bool:
        """Whether the device lacks room for the graphs that a sampler needs, all at once.

        Never where the device does not say how much is free. All of them once loaded have room;
        one that was loaded alone is freed before it asks.
        """
        if self.one_at_a_time:
            self.close()
        if self._sessions:
            return False
        free = free_bytes(self._choice.device)
        return free is not None and free < self.needed_bytes(sampler) + ROOM_BYTES

    def needed_bytes(self, sampler: str = "euler") -> int:
        """Sizes of the files of every graph that a generation runs with a sampler."""
        manifest = self._bundle.manifest
        files = manifest.files_of(*self._ports(manifest.dit_of(sampler)))
        return sum(entry.bytes for entry in files.values())

    def _ports(self, dit: str) -> dict[str, Ports]:
        """Inputs and outputs that the contract asks of each graph of a generation with ``dit``."""
        manifest = self._bundle.manifest
        ports: dict[str, Ports] = {
            view.graph: (["frames"], ["features"])
            for view in manifest.views
            if view.graph is not None
        }
        ports["conditioner"] = ([view.name for view in manifest.views], ["local", "global_"])
        told = [] if dit == "dit" else ["guidance"]
        ports[dit] = (["x", "t", "local", "global_", *told], ["v"])
        ports["vae_decoder"] = (["z"], ["audio"])
        return ports

    def _check(self, key: str, session: Session) -> None:
        dit = key if key in self._dits else "dit"
        ports = {**self._ports(dit), "vae_encoder": (["audio"], ["mean"])}
        if key in ports:
            session.require(*ports[key])
        if key in self._dits:
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
