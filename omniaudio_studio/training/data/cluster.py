"""Shards by the hosts of a Ray cluster, which see the same folders and have this program installed.

Ray itself begins a shard again whose host or process was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from omniaudio_studio.errors import MissingDependencyError, OmniAudioError, WorkerError
from omniaudio_studio.training.data.encode import Job, make_shard

#: How often a shard is begun again after its process or host was lost.
RETRIES = 2
#: Address that stands for a cluster of this host alone, which ends with the call.
LOCAL = "local"


def spread_over_cluster(
    job: Job,
    shards: Sequence[int],
    address: str,
    workers: int,
    one_more: Callable[[int], None],
) -> None:
    """Make shards on a cluster, one CPU each.

    Parameters
    ----------
    address
        Of the cluster, as Ray takes it ("auto", "HOST:PORT", "ray://HOST:PORT"), or "local".
    workers
        How many shards are made at a time; 0 for one per CPU of the cluster.
    one_more
        Called with the number of pieces of each shard that is done.

    Raises
    ------
    MissingDependencyError
        Without Ray.
    WorkerError
        If the cluster cannot be reached, or a task is lost again and again.
    OmniAudioError
        The first one that a task met.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            "spreading work over hosts needs Ray; pip install 'omniaudio-studio[cluster]'"
        ) from error
    local = {"num_cpus": workers or None, "include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, **local)
    except Exception as error:  # of many kinds: no such host, another version, no such address
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise WorkerError(f"no Ray cluster can be reached at {address} ({line})") from error
    try:
        job.encoder.threads = 1
        most = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        kind = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(_Hand)
        waiting = list(shards)
        idle = [kind.remote(job) for _ in range(min(most, len(waiting)))]
        running: dict[Any, tuple[Any, int]] = {}
        while waiting or running:
            while waiting and idle:
                hand, shard = idle.pop(), waiting.pop(0)
                running[hand.make.remote(shard)] = hand, shard
            # A timeout, so that Ctrl-C is heard.
            for task in ray.wait(list(running), num_returns=1, timeout=0.5)[0]:
                hand, shard = running.pop(task)
                _answer(task, shard)
                one_more(len(job.pieces_of(shard)))
                idle.append(hand)
    finally:
        ray.shutdown()


class _Hand:
    """A process on some host: it keeps the job, and with it the networks that it opened."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def make(self, shard: int) -> None:
        make_shard(self._job, shard)


def _answer(task: object, shard: int) -> None:
    """Raise what a task met."""
    import ray

    try:
        ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OmniAudioError):
            raise error.cause from error
        raise WorkerError(f"shard {shard}: a worker met {error.cause!r}") from error
    except ray.exceptions.RayError as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise WorkerError(
            f"shard {shard}: its worker was lost {RETRIES + 1} times ({line}); "
            "run the same command again to go on"
        ) from error
