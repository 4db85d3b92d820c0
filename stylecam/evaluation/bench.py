"""Measures speed and steadiness on this machine: each stage, the live picture, and a peer.

Knows only the public interface of what it times, none of its internals. Absolute times say little
about another machine; the ratio to the peer, which takes turns on the same frames in one run, does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from stylecam import engine, motion
from stylecam.evaluation.peer import Peer
from stylecam.evaluation.process import resident_mb
from stylecam.frame import Frame
from stylecam.live import Control, Live, Snapshot
from stylecam.settings import DEFAULT_STYLE, Look, Settings
from stylecam.stream import Stream
from stylecam.style import find
from stylecam.stylizer import Stylizer
from stylecam.video.demo import DemoSource
from stylecam.video.media import FileSource
from stylecam.video.recorder import Recorder

if TYPE_CHECKING:  # loads torch, which the live picture does without
    from stylecam.evaluation.steadiness import Steadiness

SIZES = ((640, 360), (640, 480), (1280, 720))
"""(width, height) in pixels."""

FRAMES = 40
"""Frames of the demo that are painted to time the network and the whole step."""

TURN = 5
"""Frames that one workload paints before the next one's turn."""

REST_S = 0.3
"""Pause before each turn. With a third of it, the peer's threads still took a tenth of the
processor from the workload after it."""

POLL_S = 0.1

WARM_UP_S = 4.0
"""Seconds of live picture before measuring, in which the network is compiled and the working size
found."""


@dataclass(frozen=True)
class Row:
    """What was measured at one size; times in milliseconds, None for what was not measured."""

    width: int
    height: int
    device: str
    threads: int
    decode_ms: float
    """Decoding one frame of H.264."""
    network_ms: float
    flow_ms: float | None
    """Shrinking the frames and computing the flow between them; None without the stabiliser."""
    blend_ms: float
    """The rest of the step: warping and blending."""
    encode_ms: float
    """Writing a frame into a recording, including colour conversion."""
    step_ms: float
    step_p95_ms: float
    carried_ms: float | None
    """A step that carries the last painting instead of painting; None without the stabiliser."""
    live_fps: float
    live_scale: float
    """Share of the frame's sides at which the live picture was last painted."""
    live_spares: bool
    """Whether every second frame of it was carried instead of painted."""
    source_fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    dropped: int
    delivered: int
    memory_mb: float | None
    """Resident memory of the live pipeline, without a window."""
    steadiness: list[Steadiness]
    """Of the bare network, the stabilised one, the stabilised one with every second frame carried
    and as it paints files, the peer, and the peer with its own smoothing."""
    peer_ms: float | None = None
    """The peer's step, frame in, frame out. It does not stabilise."""
    ratio: float | None = None
    """The peer's step / our step, medians."""
    bare_ratio: float | None = None
    """The peer's step / our network alone, frame in, frame out, which does not stabilise either."""


def bench(
    sizes: list[tuple[int, int]],
    *,
    seconds: float,
    rate: float = Settings.rate,
    peer: bool = False,
    device: str = Settings.device,
    steadiness: float = Look.steadiness,
    adaptive: bool = Settings.adaptive,
    tell: Callable[[str], None] = lambda words: None,
) -> Iterator[Row]:
    """Measures each size in turn; `tell` is called with what is measured next."""
    # Live runs come first, so that the memory of the peer and of torch does not count as ours.
    control = Control(Look(steadiness=steadiness), adaptive=adaptive)
    lives = []
    for size in sizes:
        tell(f"{size[0]}x{size[1]}: the live picture, {WARM_UP_S + seconds:.0f} s")
        lives.append(_live(size, seconds, rate, device, control))
    from stylecam.evaluation.steadiness import compare

    for size, live in zip(sizes, lives, strict=True):
        tell(f"{size[0]}x{size[1]}: each stage")
        frames = [f.pixels for f in islice(DemoSource(size, rate, paced=False).frames(), FRAMES)]
        network, code = engine.open_engine(device), find(DEFAULT_STYLE).at(Look.stroke)
        network.paint(frames[0], code)  # compiles it, which sets its threads
        rival = Peer(network.threads).paint if peer else None
        stylizer = Stylizer(DEFAULT_STYLE, device, steadiness=steadiness)
        works: list[Callable[[np.ndarray], object]] = [
            partial(Stream(network).paint, code=code),
            stylizer,
            _flow(),
            stylizer.carry,
            *([rival] if rival else []),
        ]
        times = 1000 * _in_turns(works, frames)
        medians = np.median(times, axis=1)
        flow_ms = float(medians[2]) if steadiness else None
        decode_ms, encode_ms = _codec(frames, rate)
        tell(f"{size[0]}x{size[1]}: how steady it is")
        bare = Stylizer(DEFAULT_STYLE, device, steadiness=0)
        yield Row(
            *size,
            device=stylizer.description,
            threads=network.threads,
            decode_ms=decode_ms,
            network_ms=float(medians[0]),
            flow_ms=flow_ms,
            blend_ms=max(0.0, float(medians[1] - medians[0]) - (flow_ms or 0)),
            encode_ms=encode_ms,
            step_ms=float(medians[1]),
            step_p95_ms=float(np.percentile(times[1], 95)),
            carried_ms=float(medians[3]) if steadiness else None,
            source_fps=rate,
            steadiness=compare(size, bare, stylizer, rival),
            peer_ms=float(medians[4]) if rival else None,
            ratio=float(medians[4] / medians[1]) if rival else None,
            bare_ratio=float(medians[4] / medians[0]) if rival else None,
            **live,
        )


def describe(row: Row) -> str:
    """Returns the row as lines for people."""
    memory = f", {row.memory_mb:.0f} MB" if row.memory_mb else ""
    flow = f"flow {row.flow_ms:.1f}, " if row.flow_ms is not None else ""
    spared = Snapshot(scale=row.live_scale, spares=row.live_spares).spared()
    carried = ""
    if row.carried_ms is not None:
        both = (row.step_ms + row.carried_ms) / 2
        carried = f"\n  carried {row.carried_ms:.1f} ms, {both:.1f} where every 2nd frame is"
    text = (
        f"{row.width}x{row.height} on {row.device}, {row.threads} threads\n"
        f"  step {row.step_ms:.1f} ms, p95 {row.step_p95_ms:.1f} ms: network "
        f"{row.network_ms:.1f}, {flow}warp and blend {row.blend_ms:.1f}; "
        f"beside it decode {row.decode_ms:.1f}, encode {row.encode_ms:.1f}{carried}\n"
        f"  live {', '.join([f'{row.live_fps:.1f} of {row.source_fps:g} fps', *spared])}, "
        f"latency p50 {row.latency_p50_ms:.0f} ms, p95 {row.latency_p95_ms:.0f} ms, "
        f"{row.dropped} of {row.dropped + row.delivered} dropped{memory}"
    )
    for each in row.steadiness:
        text += (
            f"\n  {each.name:17} flicker {each.flicker:.2f}, warp error {each.warp:.4f}, "
            f"sharpness {each.sharpness:.1f}"
        )
    if row.peer_ms is not None:
        text += (
            f"\n  peer {row.peer_ms:.1f} ms: {row.ratio:.1f} times our step, "
            f"{row.bare_ratio:.1f} times our network without the stabiliser"
        )
    return text


def _flow() -> Callable[[np.ndarray], None]:
    """Returns a workload that does what the stabiliser does to find the flow of each frame."""
    flow, before = motion.Flow(), None

    def work(frame: np.ndarray) -> None:
        nonlocal before
        small = motion.shrink(frame)
        flow(small, small if before is None else before)
        before = small

    return work


def _codec(frames: list[np.ndarray], rate: float) -> tuple[float, float]:
    """Returns the median milliseconds to decode and to encode a frame."""
    with TemporaryDirectory() as folder:
        path, numbers = Path(folder) / "bench.mp4", count()
        with Recorder(path, rate) as recorder:

            def encode(pixels: np.ndarray) -> None:
                index = next(numbers)
                recorder.put(Frame(pixels, index, index / rate))

            encoding = _in_turns([encode], frames)
        written = FileSource(path).frames()
        decoding = _in_turns([lambda _: next(written)], frames)
        written.close()
    return float(1000 * np.median(decoding)), float(1000 * np.median(encoding))


def _in_turns(works: list[Callable[[np.ndarray], object]], frames: list[np.ndarray]) -> np.ndarray:
    """Returns the seconds that each workload takes for a frame, (works, times).

    Every workload paints a few frames back to back before the next few, so that whatever else the
    machine does affects all alike. There is a pause before each turn, since a library's threads
    keep spinning for tens of milliseconds after its work, on the cores that the next workload
    needs. The first frame after a pause is not counted, because the processor is still waking up.
    """
    times: list[list[float]] = [[] for _ in works]
    for begin in range(0, len(frames), TURN):
        for taken, work in zip(times, works, strict=True):
            time.sleep(REST_S)
            for i, frame in enumerate(frames[begin : begin + TURN]):
                began = time.perf_counter()
                work(frame)
                if i:
                    taken.append(time.perf_counter() - began)
    return np.array(times)


def _live(
    size: tuple[int, int], seconds: float, rate: float, device: str, control: Control
) -> dict[str, Any]:
    """Runs the demo live at a size, and returns rates, latency, drops and memory."""
    live = Live(DemoSource(size, rate), control, device=device)
    live.start()
    try:
        while not (shot := live.snapshot()).delivered and not shot.ended:
            time.sleep(0.01)
        before, began = _after(live, WARM_UP_S), time.monotonic()
        after, passed = _after(live, seconds), time.monotonic() - began
        delivered = after.delivered - before.delivered
        latencies = 1000 * np.array(live.latencies()[-max(1, delivered) :])
        return {
            "live_fps": delivered / passed,
            "live_scale": after.scale,
            "live_spares": after.spares,
            "latency_p50_ms": float(np.median(latencies)),
            "latency_p95_ms": float(np.percentile(latencies, 95)),
            "dropped": after.dropped - before.dropped,
            "delivered": delivered,
            "memory_mb": resident_mb(),
        }
    finally:
        live.stop()


def _after(live: Live, seconds: float) -> Snapshot:
    """Returns the state after so many seconds. Raises any error that ends the run earlier at
    once."""
    until = time.monotonic() + seconds
    while True:
        shot, left = live.snapshot(), until - time.monotonic()
        if shot.error:
            raise shot.error
        if left <= 0:
            return shot
        time.sleep(min(left, POLL_S))
