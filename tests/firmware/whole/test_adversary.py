"""Whatever is sent, in whatever order, with resets anywhere: no window holds more than its limit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.twin.runtimes import RuntimeName
from hypothesis import example, given, settings
from hypothesis import strategies as st
from modes import WORTHS, Act, therapies
from pumpside import PumpSide, examples, pump, therapy


@st.composite
def tight(draw: st.DrawFn) -> dict[str, Any]:
    """A therapy whose caps are hardly above what its basal needs, with windows of its own."""
    made = draw(therapies())
    num, den = made["step_ng_num"], made["step_ng_den"]
    if needed(made, 86_400_000) > 23_000 or needed(made, 3_600_000) > 3_900:
        made["periodic_steps"] = 0
    windows = draw(st.sets(st.integers(2, 2880), max_size=2)) | {draw(st.integers(10, 60)), 1440}
    spare = draw(st.integers(0, 60))
    made["caps"] = [{"minutes": w, "ng": (needed(made, w * 60_000) + spare) * num // den + 1} for w in sorted(windows)]
    made |= {"prime_steps_max": 90, "prime_num": 1, "prime_den": 1_000, "path_version": 7}
    return made


def needed(made: dict[str, Any], window_ms: int) -> int:
    """Least steps that the pump accepts as a cap of a window."""
    table = [Fraction(rate["num"], rate["den"]) for rate in made["rates"]]
    largest = max([*table, Fraction(made["basal_num"], made["basal_den"]), Fraction(1, 450_000)])
    steps = int((window_ms + window_ms // 240) * largest) + 2
    if made.get("periodic_steps"):
        steps += made["periodic_steps"] * (window_ms // made["periodic_ms"] + 1)
    return steps


def _alone(worth_ng: int, cap_ng: int, **changes: Any) -> dict[str, Any]:
    plain = {"mode": "stopped", "step_ng_num": worth_ng, "step_ng_den": 1, "rates": [{"num": 1, "den": 8_000}]}
    caps = [{"minutes": 10, "ng": cap_ng}, {"minutes": 1440, "ng": 9_436_001}]
    priming = {"prime_steps_max": 90, "prime_num": 1, "prime_den": 1_000, "path_version": 7}
    return plain | {"caps": caps} | priming | changes


CONCENTRATED = _alone(2_000, 154_001)
THINNED = _alone(500, 76_001, periodic_steps=25, periodic_num=1, periodic_den=3_001, periodic_ms=270_000)
"""A bridge to a quarter of the concentration. A reset leaves its lease open: it counts as delivered, but if it was not,
the old drug is in the path still."""

acts = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 9_000_000)),
        st.tuples(st.just("advance"), st.integers(1, 9_000_000)),
        st.tuples(st.just("commit"), tight()),
        st.tuples(st.just("bridge"), st.tuples(tight(), st.integers(1, 300))),
        st.tuples(st.just("start"), st.none()),
        st.tuples(st.just("stop"), st.none()),
        st.tuples(st.just("bolus"), st.integers(0, 600)),
        st.tuples(st.just("square"), st.tuples(st.integers(0, 600), st.integers(0, 20_000_000))),
        st.tuples(st.just("patient"), st.none()),
        st.tuples(st.just("prime"), st.integers(0, 100)),
        st.tuples(st.just("clear"), st.none()),
        st.tuples(st.just("clock"), st.tuples(st.integers(0, 40_000), st.integers(0, 90_000_000))),
        st.tuples(st.just("reset"), st.none()),
        st.tuples(st.just("noise"), st.binary(max_size=40)),
    ),
    max_size=16,
)


class Watched:
    """A pump whose every step is weighed: what it held, and which caps were in force."""

    def __init__(self, side: PumpSide) -> None:
        self.side = side
        self.worth = Fraction(500)
        self.caps: list[dict[str, int]] = []
        # (steps made before, worth of a step from there on), and the same for caps.
        self.worths: list[tuple[int, Fraction]] = [(0, Fraction(0))]
        self.limits: list[tuple[int, list[dict[str, int]]]] = [(0, [])]
        self.bridge_end = 0
        self.primed: set[int] = set()

    @property
    def made(self) -> int:
        return len(self.side.twin.plant.steps_us)

    def do(self, act: Act) -> None:
        name, value = act
        client = self.side.client
        plain: dict[str, Callable[[], Any]] = {
            "advance": lambda: self.side.twin.advance_time(value / 1000),
            "start": client.start_delivery,
            "stop": client.stop_delivery,
            "bolus": lambda: client.give_bolus(value),
            "square": lambda: client.square_bolus(*value),
            "patient": client.patient_bolus,
            "clear": lambda: client.alarm_clear(["dose_cap", "missed_volume"]),
            "clock": lambda: client._run_command("clock_set", local_days=value[0], local_ms=value[1]),
            "reset": self.reset,
            "noise": lambda: self.side.twin.host_write(value + b"\x00"),
            "prime": lambda: self.prime(value),
            "commit": lambda: self.commit(value),
            "bridge": lambda: self.bridge(*value),
        }
        refusal = ""
        try:
            plain[name]()
        except RefusedError as error:
            refusal = error.reason
        assert refusal not in ("malformed", "readings_differ")

    def reset(self) -> None:
        self.side.twin.power_cycle(off_s=1)
        self.side.client.connect()

    def prime(self, steps: int) -> None:
        """Prime to the end: what fills the path is no dose."""
        client = self.side.client
        client.prime_arm(steps, 7)
        first = self.made
        client.give_priming(steps)
        self.side.twin.advance_time(steps + 5)
        self.primed |= set(range(first, self.made))
        assert self.made - first <= steps

    def commit(self, changes: dict[str, Any]) -> None:
        data = therapy(**changes)
        self.side.client.stage_program(data)
        # A step may come while the commit waits for a gap: the outcome says how many the pump had counted by then, and
        # resets may have left the pump's count behind the motor's.
        behind = self.made - self.side.twin._runtime.pump.ledger.facts.low  # type: ignore[union-attr]
        made = self.side.client.commit_program(data)["low_steps"] + behind
        worth = Fraction(changes["step_ng_num"], changes["step_ng_den"])
        bridge = changes.get("bridge_steps", 0)
        self.worths += [(made, self.worth if bridge else worth), (made + bridge, worth)]
        self.limits.append((made, changes["caps"]))
        self.worth = worth

    def bridge(self, changes: dict[str, Any], steps: int) -> None:
        old = self.worth.as_integer_ratio()
        assert old in {Fraction(*worth).as_integer_ratio() for worth in WORTHS}
        bridge = {"bridge_steps": steps, "bridge_num": 1, "bridge_den": 9_000}
        self.commit(changes | bridge | {"bridge_ng_num": old[0], "bridge_ng_den": old[1]})

    def check(self) -> None:
        """No step was made that took any window of the caps in force beyond its limit."""
        times = self.side.twin.step_times_ms()
        drug = [Fraction(0) if at in self.primed else _at(self.worths, at) for at in range(len(times))]
        total = [Fraction(0), *accumulate(drug)]
        for at, now in enumerate(times):
            if drug[at]:
                for cap in _at(self.limits, at):
                    first = bisect_right(times, now - cap["minutes"] * 60_000)
                    assert total[at + 1] - total[first] <= cap["ng"], (now, cap)
        for window_ms, most in ((3_600_000, 4_000), (86_400_000, 24_000)):
            assert all(at + 1 - bisect_right(times, now - window_ms) <= most for at, now in enumerate(times))


def _at(changes: list[tuple[int, Any]], at: int) -> Any:
    """What was in force when step number `at` was made: the last change that came before it."""
    return next(value for made, value in reversed(changes) if made <= at)


def attack(runtime: RuntimeName, first: dict[str, Any], history: list[Act]) -> None:
    with pump(runtime) as side:
        watched = Watched(side)
        watched.commit(first)
        side.client.start_delivery()
        for act in history:
            watched.do(act)
        side.twin.advance_time(40_000)
        watched.check()
        before = watched.made
        status = side.client.read_status()
        assert status["low_steps"] <= watched.made
        assert before <= status["high_steps"]


@pytest.mark.requirement("R5")
@pytest.mark.requirement("R16")
@pytest.mark.requirement("R17")
@settings(max_examples=examples(60, 100))
@given(tight(), acts)
@example(CONCENTRATED, [("bridge", (THINNED, 254)), ("advance", 1), ("reset", None)])
@example(CONCENTRATED, [("bridge", (THINNED, 254)), ("reset", None), ("advance", 600_000), ("reset", None)])
def test_no_window_ever_holds_more_than_its_limit(first: dict[str, Any], history: list[Act]) -> None:
    attack("cpython", first, history)
