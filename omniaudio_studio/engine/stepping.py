"""Sampling with everything left on the device from the first step to the last.

The model's velocities go straight into a graph of the sampler's own arithmetic (`assets/step.onnx`,
written by `training.step_graph`), and its result straight back into the model. What crosses over is
noise and conditions once per window, five numbers per step, and the latents in the end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.devices import ProviderChoice, quiet_runtime
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.windows import Known
from omniaudio_studio.errors import BundleError

Array = NDArray[np.float32]

STEP_GRAPH = Path(__file__).resolve().parents[1] / "assets" / "step.onnx"
_SHAPES = 4  # kept at a time: each holds its buffers, and what was recorded for them


class _Buffers:
    """Everything of one shape on the device.

    The state changes places at every step: the model reads one of the two while the step writes the
    other, so that nothing is copied, and each of the two bindings can be recorded.
    """

    def __init__(
        self, model: Session, step: Session, device: str, fed: Mapping[str, Array], x: Array
    ) -> None:
        make = quiet_runtime().OrtValue.ortvalue_from_numpy

        def value(array: NDArray[Any]) -> Any:
            # On the CPU the runtime works in the array's own memory, and these are written to.
            return make(np.array(array, order="C"), device, 0)

        self._inputs = {name: value(array) for name, array in fed.items()}
        self._time = value(np.zeros(len(x), np.float32))
        self._states = [value(x) for _ in range(2)]
        velocity = value(np.zeros_like(x))
        part = x[:1]
        self._known = {
            "z": value(np.zeros_like(part)),
            "eps": value(np.zeros_like(part)),
            "mask": value(np.zeros((1, 1, part.shape[2]), dtype=np.bool_)),
        }
        self._numbers = value(np.zeros(5, np.float32))
        self.model = [
            model.binding({"x": state, "t": self._time, **self._inputs}, {"v": velocity})
            for state in self._states
        ]
        self.step = [
            step.binding(
                {"x": here, "v": velocity, "numbers": self._numbers, **self._known},
                {"x_next": there},
            )
            for here, there in (self._states, self._states[::-1])
        ]

    def fill(self, fed: Mapping[str, Array], x: Array, known: Known, noise: Array) -> None:
        """A window's beginning; ``x`` (B, C, T) is the first state."""
        for name, array in fed.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(array))
        self._states[0].update_inplace(x)
        self._known["z"].update_inplace(np.ascontiguousarray(known.latents[None]))
        self._known["eps"].update_inplace(np.ascontiguousarray(noise[None]))
        self._known["mask"].update_inplace(np.ascontiguousarray(known.mask[None, None]))

    def tell(self, t: float, numbers: Sequence[float]) -> None:
        """What differs from step to step."""
        rows = self._time.shape()[0]
        self._time.update_inplace(np.full(rows, t, dtype=np.float32))
        self._numbers.update_inplace(np.array(numbers, dtype=np.float32))

    def state(self, index: int) -> Array:
        """One of the two states, back from the device: (1, C, T)."""
        return np.array(self._states[index].numpy()[:1])


class Stepper:
    """Samples windows with a model whose inputs and outputs stay on the device.

    Parameters
    ----------
    model
        The DiT; all its inputs and outputs are 32-bit floats.
    choice
        The provider that runs it; its memory has a name that bindings know ("cpu", "cuda").
    cancel
        Stops loading the step.
    """

    def __init__(
        self, model: Session, choice: ProviderChoice, cancel: CancelToken | None = None
    ) -> None:
        self.model = model
        self._device = choice.device
        self._step = Session(STEP_GRAPH, choice, cancel)
        self._buffers: OrderedDict[tuple[Any, ...], tuple[int, _Buffers]] = OrderedDict()
        self._recorded = 0

    def sample(
        self,
        fed: Mapping[str, Array],
        noise: Array,
        known: Known,
        schedule: Sequence[float] | NDArray[np.float64],
        cfg: float,
        rescale: float = 0.0,
        *,
        cancel: CancelToken | None = None,
        callback: Callable[[int], None] | None = None,
    ) -> Array:
        """Latents of one window: what `sampler.euler` makes with `guided` and `clamp`.

        Parameters
        ----------
        fed
            Conditions as `sampler.branches` gives them: batch 2, or 1.
        noise
            (C, T).
        known
            What the window is held to.
        schedule
            Times from 1 to 0.
        cfg, rescale
            As for `sampler.guide`; without effect on a batch of 1.
        cancel
            Stops between steps, and inside a running graph.
        callback
            ``callback(steps_done)`` after each step; from 1 again where recording failed.

        Returns
        -------
        ndarray
            float32 (1, C, T).

        Raises
        ------
        Cancelled, BundleError, DeviceError
            As `Session.run`.
        """
        try:
            return self._sample(fed, noise, known, schedule, cfg, rescale, cancel, callback)
        except BundleError as error:
            if self.model.recording is not None:
                raise
            # Not every graph that can be loaded for it can be recorded: once more without.
            self._buffers.clear()
            self.model.record_no_more(str(error), cancel)
        return self._sample(fed, noise, known, schedule, cfg, rescale, cancel, callback)

    def _sample(
        self,
        fed: Mapping[str, Array],
        noise: Array,
        known: Known,
        schedule: Sequence[float] | NDArray[np.float64],
        cfg: float,
        rescale: float,
        cancel: CancelToken | None,
        callback: Callable[[int], None] | None,
    ) -> Array:
        rows = len(next(iter(fed.values())))
        times = [float(t) for t in schedule]
        # Of one channel there is no spread to pull back, and one branch has nothing to be like.
        rescale = rescale if rows == 2 and noise.shape[0] > 1 else 0.0
        x = np.repeat(noise[None], rows, axis=0)
        number, buffers = self._of_shape(fed, x)
        buffers.fill(fed, self._begun(x, noise, known, times[0]), known, noise)
        for index, (t, t_next) in enumerate(pairwise(times)):
            here = index % 2
            buffers.tell(t, (cfg, rescale, t_next - t, 1.0 - t_next, t_next))
            self.model.run_bound(buffers.model[here], cancel, _record(number, here))
            self._step.run_bound(buffers.step[here], cancel)
            if callback is not None:
                callback(index + 1)
        return buffers.state((len(times) - 1) % 2)

    @staticmethod
    def _begun(x: Array, noise: Array, known: Known, t: float) -> Array:
        """The first state: at t = 1 it is the noise, also where something is known."""
        if t != 1.0:
            at = known.mask
            x[..., at] = np.float32(1.0 - t) * known.latents[:, at] + np.float32(t) * noise[:, at]
        return x

    def _of_shape(self, fed: Mapping[str, Array], x: Array) -> tuple[int, _Buffers]:
        """Buffers of a shape, and the number of what is recorded for them."""
        key = (x.shape, *((name, value.shape) for name, value in sorted(fed.items())))
        if key in self._buffers:
            self._buffers.move_to_end(key)
            return self._buffers[key]
        while len(self._buffers) >= _SHAPES:
            _, (old, _) = self._buffers.popitem(last=False)
            for here in range(2):
                self.model.forget(_record(old, here))
        made = _Buffers(self.model, self._step, self._device, fed, x)
        self._buffers[key] = (self._recorded, made)
        self._recorded += 1
        return self._buffers[key]


def _record(number: int, here: int) -> int:
    """Number of the CUDA graph that reads one of the two states of some buffers; 0 is no number."""
    return 2 * number + here + 1
