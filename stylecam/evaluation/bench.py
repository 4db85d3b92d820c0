"""How fast and how steady it is here: each stage, the live picture, a peer on the same frames.

Knows the public surface of what it times, and nothing of the insides. Bare times say little about
another machine; the ratio to the peer, taken turn by turn in one run, does.
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
"""Frames of the demo that are painted for the network's and the step's times."""

TURN = 5
"""Frames that a work paints before the next work's turn."""

REST_S = 0.3
"""Before a work's turn. Where it was a third of that, the peer's threads still took a tenth from
who came after them."""

POLL_S = 0.1

WARM_UP_S = 4.0
"""Seconds of live picture before counting, in which the network is compiled and the working size
found."""


@dataclass(frozen=True)
class Row:
    """What was measured at one size; times in milliseconds, None where not asked for."""

    width: int
    height: int
    device: str
    threads: int
    decode_ms: float
    """Of H.264, to a frame."""
    network_ms: float
    flow_ms: float | None
    """Shrinking frames and the flow between them; None without the stabiliser."""
    blend_ms: float
    """What is left of the step: warping and blending."""
    encode_ms: float
    """A frame into a recording, colours converted."""
    step_ms: float
    step_p95_ms: float
    carried_ms: float | None
    """A step that carries the last painting instead; None without the stabiliser."""
    live_fps: float
    live_scale: float
    """Share of the frame's sides at which the live picture was painted at last."""
    live_spares: bool
    """Every second frame of it was not painted, but carried."""
    source_fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    dropped: int
    delivered: int
    memory_mb: float | None
    """Resident, of the live pipeline without a window."""
    steadiness: list[Steadiness]
    """Of the bare network, the steadied one, the same with every second frame carried and as it
    paints files, the peer and the peer with its own smoothing."""
    peer_ms: float | None = None
    """The peer's step, frame in, frame out. It steadies nothing."""
    ratio: float | None = None
    """The peer's step : our step, medians."""
    bare_ratio: float | None = None
    """The peer's step : our network's, frame in, frame out, which steadies nothing either."""


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
    """Measures each size in turn; `tell` hears what is measured next."""
    # The peer's and torch's memory must not count as ours: live pictures come before they load.
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
        network.paint(frames[0], code)  # compiles it, which tells its threads
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
    """The row as lines for people."""
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
    """What the stabiliser does to find the flow, for each frame after the first."""
    flow, before = motion.Flow(), None

    def work(frame: np.ndarray) -> None:
        nonlocal before
        small = motion.shrink(frame)
        flow(small, small if before is None else before)
        before = small

    return work


def _codec(frames: list[np.ndarray], rate: float) -> tuple[float, float]:
    """Median milliseconds to decode and to encode a frame."""
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
    """Seconds that each work takes for a frame, (works, times).

    A few frames back to back through every work before the next few, so that whatever else the
    machine does weighs on all alike; and a rest before each, since a library's threads spin on for
    tens of milliseconds after its work, on the cores that the next work wants. The first frame
    after a rest is not counted: the processor was half asleep.
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
    """The live picture of the demo at a size: rates, latency, drops and memory."""
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
    """Where it stands after so many seconds. Raises at once what ends it before."""
    until = time.monotonic() + seconds
    while True:
        shot, left = live.snapshot(), until - time.monotonic()
        if shot.error:
            raise shot.error
        if left <= 0:
            return shot
        time.sleep(min(left, POLL_S))
