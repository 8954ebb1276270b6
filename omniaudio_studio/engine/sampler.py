"""Rectified flow from noise to data, with guidance: plain functions of arrays.

t runs from 1 (noise) to 0 (data): x = (1 - t) data + t noise, velocity v = noise - data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Velocity = Callable[[Array, float], Array]
Model = Callable[[Array, Array, Mapping[str, Array]], Array]


def linear_schedule(steps: int) -> NDArray[np.float64]:
    """``steps + 1`` times from 1 to 0, equally spaced; ``steps`` at least 1."""
    return np.linspace(1.0, 0.0, steps + 1)


SCHEDULES: dict[str, Callable[[int], NDArray[np.float64]]] = {"linear": linear_schedule}


def euler(
    velocity: Velocity,
    x: Array,
    schedule: Sequence[float] | NDArray[np.float64],
    before_step: Callable[[Array, float], Array] | None = None,
    callback: Callable[[int, Array], None] | None = None,
) -> Array:
    """Integrate dx/dt = v(x, t) along the schedule: x += (t_next - t) v.

    Euler's method on the probability-flow line of Liu et al., "Flow straight and fast", 2022, and
    Lipman et al., "Flow matching for generative modeling", 2022.

    Parameters
    ----------
    velocity
        ``velocity(x, t)`` with x of any shape and t a float.
    x
        The state at ``schedule[0]``; not changed.
    schedule
        Times, descending.
    before_step
        ``before_step(x, t) -> x`` before each step and once at the last time: a clamp.
    callback
        ``callback(steps_done, x)`` after each step.

    Returns
    -------
    ndarray
        float32, the state at ``schedule[-1]``.
    """
    x = np.array(x, dtype=np.float32)
    times = [float(t) for t in schedule]
    for index, (t, t_next) in enumerate(pairwise(times)):
        if before_step is not None:
            x = before_step(x, t)
        x = x + np.float32(t_next - t) * velocity(x, t)
        if callback is not None:
            callback(index + 1, x)
    if before_step is not None:
        x = before_step(x, times[-1])
    return x


def guide(conditional: Array, unconditional: Array, cfg: float, rescale: float = 0.0) -> Array:
    """Classifier-free guidance: v_u + cfg (v_c - v_u), its spread pulled back by ``rescale``.

    Ho and Salimans, "Classifier-free diffusion guidance", 2022. The rescaled form is that of Lin et
    al., "Common diffusion noise schedules and sample steps are flawed", 2023: phi times v scaled to
    v_c's standard deviation over the channel axis (1), plus (1 - phi) times v.

    Parameters
    ----------
    conditional, unconditional
        Velocities (B, C, T).
    cfg
        Guidance scale; 1 gives ``conditional``, 0 ``unconditional``.
    rescale
        phi in [0, 1].
    """
    v = unconditional + np.float32(cfg) * (conditional - unconditional)
    if rescale == 0.0 or v.shape[1] < 2:
        return v
    target = conditional.std(axis=1, ddof=1, keepdims=True)
    spread = np.maximum(v.std(axis=1, ddof=1, keepdims=True), np.float32(1e-8))
    phi = np.float32(rescale)
    return phi * (v * (target / spread)) + (np.float32(1.0) - phi) * v


def branches(
    inputs: Mapping[str, Array], drop: Collection[str], cfg: float, rescale: float = 0.0
) -> dict[str, Array]:
    """What the model is fed for guidance: conditions of batch 2, or 1 where that is enough.

    Both branches are one batch of two: conditional first, then the one whose dropped inputs are
    zeros. With cfg = 1 (or nothing to drop) the second branch cannot matter and is left out; with
    cfg = 0 the first is.

    Parameters
    ----------
    inputs
        Conditions of batch 1.
    drop
        Names of inputs that the unconditional branch sees as zeros.
    cfg, rescale
        As for :func:`guide`.
    """
    if cfg == 1.0 or not any(name in drop for name in inputs):
        return dict(inputs)
    nothing = {k: np.zeros_like(v) if k in drop else v for k, v in inputs.items()}
    if cfg == 0.0 and rescale == 0.0:
        return nothing
    return {name: np.concatenate([value, nothing[name]]) for name, value in inputs.items()}


def guided(
    model: Model,
    inputs: Mapping[str, Array],
    drop: Collection[str],
    cfg: float,
    rescale: float = 0.0,
) -> Velocity:
    """A velocity function with guidance around a model.

    Parameters
    ----------
    model
        ``model(x, t, inputs)`` with x (B, C, T), t (B,) and inputs of batch B.
    inputs, drop, cfg, rescale
        As for :func:`branches`.

    Returns
    -------
    callable
        ``velocity(x, t)`` for x of shape (1, C, T).
    """
    fed = branches(inputs, drop, cfg, rescale)
    rows = len(next(iter(fed.values())))

    def velocity(x: Array, t: float) -> Array:
        v = model(np.repeat(x, rows, axis=0), np.full(rows, t, dtype=np.float32), fed)
        return v if rows == 1 else guide(v[:1], v[1:], cfg, rescale)

    return velocity
