"""A graph in memory: typed feeds, clear errors, and a stop that works inside a running graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
        self, path: Path, choice: ProviderChoice, cancel: CancelToken | None = None
    ) -> None:
        runtime = quiet_runtime()
        options = session_options()
        self.path = path
        self._runtime = runtime

        def load() -> Any:
            return runtime.InferenceSession(
                str(path), options, providers=choice.providers(), enable_fallback=0
            )

        def stop() -> None:
            options.set_load_cancellation_flag(True)

        self._session: Any = self._guarded(load, stop, cancel, f"{path} cannot be loaded")
        if self._session.get_providers()[0] != choice.provider:
            raise DeviceError(
                f"{choice.device} worked a moment ago and cannot load {path.name}; "
                "use --device cpu, or free its memory"
            )
        self.inputs: dict[str, list[Any]] = {i.name: i.shape for i in self._session.get_inputs()}
        self.outputs: dict[str, list[Any]] = {o.name: o.shape for o in self._session.get_outputs()}
        self._types = {i.name: _TYPES.get(i.type, np.float32) for i in self._session.get_inputs()}

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
        options = self._runtime.RunOptions()
        options.log_severity_level = 4
        typed = {
            name: np.ascontiguousarray(value, dtype=self._types.get(name))
            for name, value in feeds.items()
        }

        def stop() -> None:
            options.terminate = True

        values = self._guarded(
            lambda: self._session.run(None, typed, options),
            stop,
            cancel,
            f"{self.path} failed while running",
        )
        return {
            name: np.asarray(value, dtype=np.float32)
            for name, value in zip(self.outputs, values, strict=True)
        }

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
