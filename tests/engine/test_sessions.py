"""Graphs: loading, running, failing in one line, and stopping while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine import devices
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.devices import choose_provider, cpu_threads
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import BundleError, Cancelled, DeviceError, OptionError
from tests.support.slow_bundle import make_slow_bundle

CPU = choose_provider("cpu")


def test_the_cpu_is_always_there() -> None:
    assert CPU.provider == "CPUExecutionProvider"
    assert CPU.providers() == [("CPUExecutionProvider", {})]


def test_auto_says_why() -> None:
    choice = choose_provider("auto")
    assert choice.device in ("cuda", "cpu")
    assert choice.reason
    if choice.device == "cpu":
        assert choice.reason.startswith("CUDA cannot be used: ")


def test_a_device_that_is_not_there_is_refused_with_the_reason() -> None:
    for device in ("cuda", "directml", "coreml"):
        if devices._problem(device) is None:
            continue
        with pytest.raises(DeviceError, match=f"cannot run on {device}: .*; use --device"):
            choose_provider(device)
    with pytest.raises(OptionError, match="device must be one of"):
        choose_provider("tpu")


def test_cuda_runs_without_tf32_and_with_the_cpu_behind_it() -> None:
    providers = devices.ProviderChoice("cuda", "CUDAExecutionProvider", "").providers()
    assert providers[0][1]["use_tf32"] == "0"
    assert providers[0][1]["cudnn_conv_algo_search"] == "DEFAULT"
    assert providers[1] == "CPUExecutionProvider"


def test_the_probe_is_a_graph() -> None:
    model = onnx.load_from_string(devices._PROBE)
    onnx.checker.check_model(model)


def test_threads_are_the_ones_we_may_use() -> None:
    count = cpu_threads()
    assert count == 0 or 1 <= count <= len(os.sched_getaffinity(0))


def test_nothing_is_printed(bundle: Bundle) -> None:
    """Standard output belongs to the program, and a failed provider is no news on stderr."""
    code = (
        "import sys; from omniaudio_studio.engine.devices import *;"
        "from omniaudio_studio.engine.sessions import Session; from pathlib import Path;"
        "Session(Path(sys.argv[1]), choose_provider('auto'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle.graph("dit"))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.stderr == ""


def test_feeds_are_cast_and_results_are_float32(tmp_path: Path) -> None:
    half = onnx.TensorProto.FLOAT16
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "half",
        [helper.make_tensor_value_info("x", half, ["N"])],
        [helper.make_tensor_value_info("y", half, ["N"])],
    )
    path = save(tmp_path / "half.onnx", graph)
    result = Session(path, CPU).run({"x": np.array([1.5, 2.0])})
    assert result["y"].dtype == np.float32
    np.testing.assert_array_equal(result["y"], [3.0, 4.0])


def save(path: Path, graph: Any) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_files_that_are_no_graphs(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    for content in (b"", b"not a graph", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(BundleError, match=r"x\.onnx cannot be loaded") as caught:
            Session(path, CPU)
        assert "\n" not in str(caught.value)


def test_wrong_feeds_are_told_in_one_line(bundle: Bundle) -> None:
    session = Session(bundle.graph("vae_decoder"), CPU)
    with pytest.raises(BundleError, match="failed while running") as caught:
        session.run({"z": np.zeros((1, 5, 3), dtype=np.float32)})
    assert "\n" not in str(caught.value)


def test_missing_ports(bundle: Bundle) -> None:
    session = Session(bundle.graph("vae_decoder"), CPU)
    session.require(["z"], ["audio"])
    with pytest.raises(BundleError, match="expected an input 'latents', found z"):
        session.require(["latents"], [])
    with pytest.raises(BundleError, match="expected an output 'sound', found audio"):
        session.require(["z"], ["sound"])


def test_external_data_cannot_leave_the_folder(tmp_path: Path) -> None:
    """A graph may name a file for its weights: the runtime must not follow it out."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    weight = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "leak",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [weight],
    )
    with pytest.raises(BundleError):
        Session(save(folder / "leak.onnx", graph), CPU)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_slow_bundle(tmp_path_factory.mktemp("slow") / "slow") / "dit.onnx"


@pytest.fixture(scope="module")
def looping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph that goes round in a Loop for many minutes."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["value", "value"], ["square"]),
            helper.make_node("Tanh", ["square"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, [64, 64]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [64, 64]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["count", "yes", "x"], ["y"], body=body)],
        "loop",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 64])],
        [
            helper.make_tensor("count", TensorProto.INT64, [], [10**9]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ],
    )
    return save(tmp_path_factory.mktemp("loop") / "loop.onnx", graph)


SLOW_FEEDS = {
    "x": np.full((1, 8, 4), 1e-3, dtype=np.float32),
    "t": np.ones(1, dtype=np.float32),
    "local": np.ones((1, 4, 8), dtype=np.float32),
    "global_": np.ones((1, 6), dtype=np.float32),
}


def stopped_after(session: Session, feeds: Any) -> float:
    """Seconds from cancelling to the end, the graph run in this thread."""
    token = CancelToken()
    cancelled: list[float] = []

    def cancel() -> None:
        cancelled.append(time.monotonic())
        token.cancel()

    timer = threading.Timer(0.4, cancel)
    timer.start()
    with pytest.raises(Cancelled):
        session.run(feeds, token)
    return time.monotonic() - cancelled[0]


@pytest.mark.keeps_time
@pytest.mark.parametrize("thread", ["main", "worker"])
def test_a_running_graph_stops_within_a_second(slow: Path, looping: Path, thread: str) -> None:
    for session, feeds in (
        (Session(slow, CPU), SLOW_FEEDS),
        (Session(looping, CPU), {"x": np.full((64, 64), 0.1, dtype=np.float32)}),
    ):
        times: list[float] = []
        if thread == "main":
            times.append(stopped_after(session, feeds))
        else:
            worker = threading.Thread(
                target=lambda t=times, s=session, f=feeds: t.append(stopped_after(s, f))
            )
            worker.start()
            worker.join(20)
        assert times[0] < 1.0


def test_a_session_serves_again_after_a_stop(bundle: Bundle) -> None:
    session = Session(bundle.graph("vae_decoder"), CPU)
    feeds = {"z": np.ones((1, 8, 4), dtype=np.float32)}
    before = session.run(feeds)["audio"]
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        session.run(feeds, token)
    np.testing.assert_array_equal(session.run(feeds, CancelToken())["audio"], before)
    with pytest.raises(Cancelled):
        Session(bundle.graph("dit"), CPU, token)


@pytest.mark.keeps_time
@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are POSIX's")
def test_ctrl_c_is_heard_inside_a_running_graph(looping: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path;"
        "from omniaudio_studio.engine.sessions import Session;"
        "from omniaudio_studio.engine.devices import choose_provider;"
        "s = Session(Path(sys.argv[1]), choose_provider('cpu'));"
        "print('running', flush=True);"
        "s.run({'x': np.full((64, 64), 0.1, dtype=np.float32)})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(looping)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "running\n"
        time.sleep(0.4)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - begin < 1.0
    assert "KeyboardInterrupt" in errors
