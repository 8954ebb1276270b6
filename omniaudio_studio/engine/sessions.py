"""A graph in memory: typed feeds, clear errors, and a stop that works inside a running graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.cancel import CancelToken, run_interruptibly
from omniaudio_studio.engine.devices import (
    ProviderChoice,
    one_line,
    quiet_runtime,
    session_options,
)
from omniaudio_studio.errors import BundleError, Cancelled, DeviceError

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


PLAIN_RUN = "-1"  # the runtime's number for a run that neither records nor repeats a CUDA graph


class Session:
    """One ONNX graph, loaded.

    Parameters
    ----------
    path
        An ONNX file of a verified bundle.
    choice
        The provider that runs it.
    cancel
        Stops loading, too.
    record
        Let bound runs be recorded as CUDA graphs, where the provider and the graph allow it.
    threads
        On the CPU; None for all of `devices.cpu_threads`.

    Attributes
    ----------
    inputs, outputs
        Shapes by name; sizes that vary are strings.
    recording
        Why runs are not recorded, or None where they are.

    Raises
    ------
    BundleError
        If the file is no graph that this runtime can load.
    DeviceError
        If the provider is gone since it was chosen.
    Cancelled
        If ``cancel`` said so.
    """

    def __init__(
        self,
        path: Path,
        choice: ProviderChoice,
        cancel: CancelToken | None = None,
        *,
        record: bool = False,
        threads: int | None = None,
    ) -> None:
        self.path = path
        self._threads = threads
        self._choice = choice
        self._runtime = quiet_runtime()
        self.recording: str | None = "not asked for"
        if record:
            self.recording = None if choice.records else f"{choice.device} has no CUDA graphs"
        try:
            self._session: Any = self._load(cancel)
        except BundleError as error:
            if self.recording is not None:
                raise
            # Refused where an operator would leave the device.
            self.record_no_more(str(error), cancel)
        self.inputs: dict[str, list[Any]] = {i.name: i.shape for i in self._session.get_inputs()}
        self.outputs: dict[str, list[Any]] = {o.name: o.shape for o in self._session.get_outputs()}
        self._types = {i.name: _TYPES.get(i.type, np.float32) for i in self._session.get_inputs()}
        kinds = {port.type for port in (*self._session.get_inputs(), *self._session.get_outputs())}
        self.floats = kinds <= {"tensor(float)", "tensor(bool)"}

    def _load(self, cancel: CancelToken | None) -> Any:
        options = session_options()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        providers = self._choice.providers(record=self.recording is None)

        def load() -> Any:
            return self._runtime.InferenceSession(
                str(self.path), options, providers=providers, enable_fallback=0
            )

        def stop() -> None:
            options.set_load_cancellation_flag(True)

        session = self._guarded(load, stop, cancel, f"{self.path} cannot be loaded")
        if session.get_providers()[0] != self._choice.provider:
            raise DeviceError(
                f"{self._choice.device} worked a moment ago and cannot load {self.path.name}; "
                "use --device cpu, or free its memory"
            )
        return session

    def forget(self, record: int) -> None:
        """Free a recorded CUDA graph; older runtimes keep it until the session ends."""
        if self.recording is None and hasattr(self._session, "release_captured_graph"):
            self._session.release_captured_graph(record)

    def record_no_more(self, why: str, cancel: CancelToken | None = None) -> None:
        """Load the graph anew for plain runs; bindings that exist are void afterwards."""
        self.recording = why
        self._session = None
        self._session = self._load(cancel)

    def require(self, inputs: Collection[str], outputs: Collection[str]) -> None:
        """Refuse a graph that lacks an input or output of the bundle's contract (BundleError)."""
        for kind, wanted, found in (
            ("input", inputs, self.inputs),
            ("output", outputs, self.outputs),
        ):
            for name in wanted:
                if name not in found:
                    raise BundleError(
                        f"{self.path}: expected an {kind} {name!r}, found {', '.join(found)}; "
                        "export the model again"
                    )

    def run(
        self, feeds: Mapping[str, NDArray[Any]], cancel: CancelToken | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Run the graph once.

        Parameters
        ----------
        feeds
            Arrays by input name; cast to the graph's own types.
        cancel
            Stops the graph while it runs.

        Returns
        -------
        dict
            float32 arrays by output name.

        Raises
        ------
        Cancelled
            If ``cancel`` said so before the end.
        BundleError
            If the graph fails on these inputs.
        DeviceError
            If memory ran out.
        """
        typed = {
            name: np.ascontiguousarray(value, dtype=self._types.get(name))
            for name, value in feeds.items()
        }
        values = self._run(lambda options: self._session.run(None, typed, options), cancel)
        return {
            name: np.asarray(value, dtype=np.float32)
            for name, value in zip(self.outputs, values, strict=True)
        }

    def binding(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
        """Inputs and outputs (the runtime's values, on the device) for :meth:`run_bound`."""
        binding = self._session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in outputs.items():
            binding.bind_ortvalue_output(name, value)
        return binding

    def run_bound(
        self, binding: Any, cancel: CancelToken | None = None, record: int | None = None
    ) -> None:
        """Run the graph on what a binding names; nothing is copied.

        Parameters
        ----------
        binding
            From :meth:`binding`.
        cancel
            Stops the graph while it runs.
        record
            The number of this binding's CUDA graph: recorded at the first run, repeated afterwards.
            Another binding needs another number. A plain run where None, or where
            :attr:`recording` says why not.

        Raises
        ------
        Cancelled, BundleError, DeviceError
            As :meth:`run`.
        """
        self._run(
            lambda options: self._session.run_with_iobinding(binding, options),
            cancel,
            None if record is None else str(record),
        )

    def _run(
        self, call: Callable[[Any], Any], cancel: CancelToken | None, record: str | None = None
    ) -> Any:
        options = self._runtime.RunOptions()
        options.log_severity_level = 4
        if self.recording is None:
            options.add_run_config_entry("gpu_graph_id", record or PLAIN_RUN)

        def stop() -> None:
            options.terminate = True

        return self._guarded(
            lambda: call(options), stop, cancel, f"{self.path} failed while running"
        )

    @staticmethod
    def _guarded(call: Any, stop: Any, cancel: CancelToken | None, what: str) -> Any:
        """Run a blocking call of the runtime, with its errors told in our words."""
        if cancel is not None:
            cancel.check()
        remove = cancel.on_cancel(stop) if cancel is not None else None
        try:
            return run_interruptibly(call, stop)
        except MemoryError as error:
            raise DeviceError(f"{what}: out of memory; close other programs") from error
        except Exception as error:
            if cancel is not None and cancel.cancelled:
                raise Cancelled("cancelled; nothing was written") from error
            text = one_line(error)
            if "allocate memory" in text.lower() or "out of memory" in text.lower():
                raise DeviceError(
                    f"{what}: out of memory ({text}); close other programs or use --device cpu"
                ) from error
            raise BundleError(f"{what}: {text}") from error
        finally:
            if remove is not None:
                remove()
