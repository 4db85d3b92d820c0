"""The working size on simulated machines, each with its cost of a step: it holds the rate, and
settles."""

import threading
import time

import cv2
import numpy as np
import pytest

from stylecam.resolution import (
    CARRYING,
    EASY,
    FEWEST_PIXELS,
    FULL,
    HIGHEST_RATE,
    IMPATIENCE,
    JUDGED,
    LATEST_S,
    Preparation,
    WorkingSize,
    paint,
    shrink,
)

VGA = (480, 640)


class Machine:
    """Simulates a painter that takes `cost` seconds to paint a megapixel, and a share of that,
    CARRYING, to carry it, measured with noise of 5 %."""

    def __init__(self, source=VGA, rate=30.0, seed=0, *, able=True):
        self.working = WorkingSize()
        self.working.able = able
        self.source, self.rate, self.able = source, rate, able
        self.sizes, self.carried = [], []
        self._rng = np.random.default_rng(seed)

    def step(self, cost):
        height, width = self.working.choose(self.source, self.rate)
        carried = self.able and self.working.may_carry
        self.sizes.append((height, width))
        self.carried.append(carried)
        seconds = cost(height * width / 1e6) if callable(cost) else cost * height * width / 1e6
        seconds *= CARRYING if carried else 1
        self.working.took(seconds * self._rng.normal(1, 0.05), carried=carried)
        return seconds

    def run(self, steps, cost):
        return [self.step(cost) for _ in range(steps)]

    @property
    def changes(self):
        return sum(a != b for a, b in zip(self.sizes[1:], self.sizes, strict=False))


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("rate", [15.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.8, 1.0, 1.2, 2.0, 3.0])
def test_it_holds_the_rate_and_settles(rate, share, able):
    machine = Machine(rate=rate, able=able)
    cost = share / rate / 0.3072  # a full step takes this share of a frame's time
    last = machine.run(100, cost)[-2:]
    assert sum(last) / 2 <= FULL / rate
    machine.run(3000, cost)  # noise may take it one rung down, from which it does not return
    found, carried, changes = machine.sizes[-1], machine.carried[-2:], machine.changes
    machine.run(3000, cost)
    assert machine.sizes[-1] == found
    assert machine.carried[-2:] == carried
    assert machine.changes == changes <= 2
    if share <= 0.8:
        assert found == VGA
        assert not any(machine.carried)
    elif able and FULL / rate <= LATEST_S:
        if share <= 1.2 and share / rate <= EASY / FULL * LATEST_S:
            assert found == VGA
            assert sum(carried) == 1  # every second one
    else:
        assert not any(carried)


def test_no_painting_is_late_since_the_next_frame_is_carried():
    machine = Machine(rate=26.0)
    last = machine.run(200, 1.35 / machine.rate / 0.3072)[-2:]
    assert max(last) <= LATEST_S
    assert machine.sizes[-1] != VGA
    assert sum(machine.carried[-2:]) == 1


def test_where_painting_all_at_a_smaller_size_fits_nothing_is_carried():
    machine = Machine(rate=22.0)
    machine.run(200, 1.1 / machine.rate / 0.3072)  # painting at full size takes too long to carry
    assert machine.sizes[-1] != VGA
    assert not any(machine.carried[-JUDGED:])


@pytest.mark.parametrize("every", [2, 3, 5])
def test_the_measured_share_of_carried_frames_counts(every):
    machine, rate = Machine(rate=60.0), 60.0
    cost, steps = 1.4 / rate / 0.3072, []  # too much if a third more frames are painted
    for i in range(1500):
        machine.able = i % every > 0
        steps.append(machine.step(cost))
    assert np.mean(steps[-200:]) <= 1 / rate


def test_a_look_that_changes_with_every_second_frame_is_no_failure():
    """As while a slider is dragged: changed frames are painted, and those between are carried."""
    working = WorkingSize()
    while not working.may_carry:
        working.choose(VGA, 30.0)
        working.took(0.036)
    for changed in [True, False] * 100:
        working.choose(VGA, 30.0)
        assert working.may_carry or changed
        working.took(0.036 if changed else 0.006, carried=not changed, usual=not changed)


def test_it_comes_back_when_the_machine_is_free_again_in_one_go():
    machine = Machine()
    machine.run(300, 0.05)
    assert machine.sizes[-1] == VGA
    machine.run(300, 0.2)
    assert machine.sizes[-1] != VGA
    machine.run(600, 0.05)
    assert machine.sizes[-1] == VGA
    assert not any(machine.carried[-2:])
    assert machine.changes == 2


def test_single_hiccups_are_passed_over():
    machine = Machine()
    for i in range(3000):
        machine.step(30.0 if i % 15 == 7 else 0.05)
    assert set(machine.sizes) == {VGA}


def test_a_larger_size_that_fails_is_tried_ever_more_rarely():
    machine = Machine()
    # As if a larger picture did not fit into caches: the step grows far faster than its pixels.
    machine.run(6000, lambda megapixels: 0.02 * (megapixels / 0.2) ** 4)
    begin = machine.changes
    machine.run(6000, lambda megapixels: 0.02 * (megapixels / 0.2) ** 4)
    assert begin >= 4  # it does try
    assert machine.changes - begin <= 4
    assert len(set(machine.sizes)) <= 3


def test_4k_begins_at_a_sensible_size_and_small_sources_at_their_own():
    height, width = WorkingSize().choose((2160, 3840), 30.0)
    assert height * width <= 1280 * 720
    assert width / height == pytest.approx(16 / 9, abs=0.01)
    for source in (VGA, (360, 640), (720, 1280), (32, 32), (120, 160)):
        assert WorkingSize().choose(source, 30.0) == source


def test_a_fast_machine_paints_4k_at_4k():
    machine = Machine((2160, 3840))
    machine.run(1000, 0.001)
    assert machine.sizes[-1] == (2160, 3840)


@pytest.mark.parametrize("source", [VGA, (2160, 3840), (4320, 7680), (64, 8192), (32, 32)])
def test_it_never_goes_below_what_shows_a_face(source):
    machine = Machine(source)
    machine.run(2000, 100.0)
    height, width = machine.sizes[-1]
    assert height * width >= min(FEWEST_PIXELS, source[0] * source[1]) * 0.99
    assert min(height, width) >= 32
    machine.run(500, 100.0)
    assert machine.sizes[-1] == (height, width)  # it is still too slow, but stays


@pytest.mark.parametrize("rate", [1.0, 0.0, 240.0, float("inf")])
def test_rates_beyond_sense_are_limited(rate):
    machine = Machine(rate=rate)
    machine.run(300, 0.04)  # 12 ms: enough for 60 frames a second, not for 240
    assert machine.sizes[-1] == VGA


def test_a_change_waits_until_its_size_is_ready():
    working, asked = WorkingSize(), []
    for _ in range(10 * JUDGED):
        assert working.choose(VGA, 30.0, lambda size: bool(asked.append(size))) == VGA
        working.took(0.05)
    assert len(set(asked)) == 1  # slow steps meanwhile plan no other size
    assert working.choose(VGA, 30.0, lambda size: True) == asked[0] != VGA


def test_another_size_is_prepared_once_on_a_thread_of_its_own():
    may_end, asked = threading.Event(), []

    def prepare(size):
        asked.append((size, threading.current_thread()))
        may_end.wait()
        if size == (1, 1):
            raise RuntimeError("cannot compile")

    def wait_for(size):
        while not preparation.ready(size):
            time.sleep(0.001)

    preparation = Preparation(prepare)
    assert not preparation.ready((2, 2))
    assert not preparation.ready((2, 2))
    may_end.set()
    wait_for((2, 2))
    with pytest.raises(RuntimeError, match="cannot compile"):
        wait_for((1, 1))
    preparation.close()
    assert [size for size, _ in asked] == [(2, 2), (1, 1)]
    assert not any(thread.is_alive() for _, thread in asked)


def test_without_adapting_it_is_the_sources_own_as_soon_as_that_is_ready():
    machine = Machine()
    machine.run(300, 0.3)
    small = machine.sizes[-1]
    machine.working.adaptive = False
    assert machine.working.choose(VGA, 30.0, lambda size: False) == small
    assert machine.working.choose(VGA, 30.0, lambda size: size == VGA) == VGA
    machine.run(300, 0.3)
    assert machine.sizes[-1] == VGA
    fixed = WorkingSize()
    fixed.adaptive = False
    assert fixed.choose((2160, 3840), 30.0, lambda size: False) == (2160, 3840)


def test_another_source_size_begins_anew():
    machine = Machine()
    machine.run(300, 0.3)
    assert machine.sizes[-1] != VGA
    machine.source = (360, 640)
    machine.run(1, 0.05)
    assert machine.sizes[-1] != (360, 640)  # the machine's pace is known by now
    machine.run(300, 0.05)
    assert machine.sizes[-1] == (360, 640)


@pytest.mark.parametrize("rate", [30.0, 60.0])
@pytest.mark.parametrize("share", [0.2, 0.6, 1.2, 2.0, 3.0])
def test_on_a_machine_that_is_known_a_stream_begins_where_the_last_one_ended(share, rate):
    cost = share / rate / 0.3072
    machine = Machine(rate=rate)
    assert machine.working.pace is None
    machine.run(300, cost)
    again = Machine(rate=rate)
    again.working = WorkingSize(machine.working.pace)
    again.run(300, cost)
    first, last = again.sizes[0], machine.sizes[-1]
    # Noise may make a difference of one size, a quarter of an octave.
    assert abs(np.log2(first[0] / last[0])) < 0.3
    assert again.changes <= 1
    if share < 2:
        assert first == last
        assert again.carried[:2] == machine.carried[-2:] or share > 1
    fixed = WorkingSize(machine.working.pace)
    fixed.adaptive = False
    assert fixed.choose(VGA, rate) == VGA


def test_the_pace_is_that_of_the_painter_alone_and_ignores_a_slow_end():
    working = WorkingSize()
    for i in range(400):  # resizing takes 20 ms, as long as painting except at the end
        working.choose((830, 1107), 15.0)
        taken = 0.02 if i < 380 else 0.06
        working.took(taken + 0.02, alone=taken)
    height, width = working.choose((830, 1107), 15.0)
    assert working.pace == pytest.approx(0.02 / (height * width))
    assert WorkingSize(2.0).pace == 2.0


def test_what_is_slow_while_a_size_is_prepared_plans_nothing():
    machine = Machine()
    while not machine.working._planned:
        machine.step(0.3)
    planned = machine.working._planned
    for _ in range(5 * JUDGED):
        machine.working.choose(VGA, 30.0, lambda size: False)
        machine.working.took(2.0)
    assert machine.working._planned == planned


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_the_measured_cost_of_carrying_counts(share):
    working, rate = WorkingSize(), 60.0
    taken = []
    for _ in range(400):
        height, width = working.choose(VGA, rate)
        carried = working.may_carry
        cost = 1.5 / rate * height * width / (VGA[0] * VGA[1])
        taken.append(cost * share if carried else cost)
        working.took(taken[-1], carried=carried)
    assert np.mean(taken[-100:]) <= FULL / rate
    assert (working.scale == 1) == (share == 0.1)


class Negative:
    """Paints the negative, in `seconds`; carries by returning a darker one, if `able`."""

    def __init__(self, seconds=0.0, *, able=True):
        self.seconds, self.able = seconds, able
        self.seen = []

    def __call__(self, pixels):
        time.sleep(self.seconds)
        self.seen.append(pixels.shape[:2])
        return 255 - pixels

    def carry(self, pixels):
        return (255 - pixels) // 2 if self.able else None


def test_the_painting_comes_back_at_the_frames_size(photo):
    working, painter = WorkingSize(), Negative()
    frame = cv2.resize(photo, (1920, 1080), interpolation=cv2.INTER_LINEAR)
    painted = paint(painter, frame, working, 30.0)
    assert painted.shape == frame.shape
    assert painter.seen == [(642, 1142)]
    assert painter.scale == working.scale == pytest.approx(642 / 1080, abs=0.001)
    assert np.abs(255 - painted.astype(int) - frame).mean() < 1  # level, since it is smooth
    assert np.array_equal(paint(painter, photo, working, 30.0), 255 - photo)
    assert painter.scale == working.scale == 1


@pytest.mark.parametrize("able", [True, False])
def test_every_second_frame_is_carried_where_that_holds_the_rate(photo, able):
    working, painter = WorkingSize(), Negative(1.15 / HIGHEST_RATE, able=able)
    while not working.may_carry:
        paint(painter, photo, working, HIGHEST_RATE)
    assert working.scale == 1
    painter.seen.clear()
    painted = [paint(painter, photo, working, HIGHEST_RATE) for _ in range(6)]
    assert len(painter.seen) == (3 if able else 6)
    carried = [not np.array_equal(each, 255 - photo) for each in painted]
    assert carried in ([[False, True] * 3, [True, False] * 3] if able else [[False] * 6])


@pytest.mark.parametrize("size", [(540, 960), (270, 480), (321, 571)])
def test_shrinking_averages(size):
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    small = shrink(noise, size)
    assert small.shape == (*size, 3)
    assert small.mean() == pytest.approx(127.5, abs=0.5)
    pixels = (1080 * 1920) / (size[0] * size[1])
    # Of the noise, at most twice what pure averaging would leave: the last part is linear.
    assert small.std() < 2 * noise.std() / np.sqrt(pixels)


def test_a_step_that_is_not_usual_decides_nothing():
    working, frame = WorkingSize(), np.zeros((*VGA, 3), np.uint8)
    paint(Negative(), frame, working, HIGHEST_RATE)  # the first is never judged
    painter = Negative(2 / HIGHEST_RATE)
    for usual in (False, True):
        for _ in range(IMPATIENCE * JUDGED + 2):
            paint(painter, frame, working, HIGHEST_RATE, usual=usual)
        assert (working.scale < 1) == usual
