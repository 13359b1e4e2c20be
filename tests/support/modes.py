"""Random therapies of all modes, and random histories on a pump beside the perfect one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from dosebench.link.client import RefusedError
from dosebench.therapy.program import from_bytes
from dosebench.therapy.reference_pump import ReferencePump
from hypothesis import assume
from hypothesis import strategies as st
from pumpside import DAY_MS, PumpSide, therapy

WORTHS = ((500, 1), (2_000, 1), (1_001, 2))
EPOCH = datetime(2000, 1, 1)

Act = tuple[str, Any]


def _fraction(num: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(8_000 * num, min(450_000 * num, 1 << 29)).map(lambda den: (num, den))


rates = st.integers(1, 1 << 16).flatmap(_fraction)
"""Steps per millisecond, between the profile's lowest rate and one that leaves room under its daily cap."""


@st.composite
def flex(draw: st.DrawFn, rate_count: int) -> dict[str, Any]:
    """One to three day patterns, and which weekday has which."""
    patterns = draw(st.integers(1, 3))
    steps = []
    for pattern in range(patterns):
        minutes = draw(st.sets(st.integers(1, 1439), max_size=5))
        for minute in [0, *sorted(minutes)]:
            steps.append({"pattern": pattern, "minute": minute, "rate": draw(st.integers(0, rate_count - 1))})
    weekdays = draw(st.lists(st.integers(0, patterns - 1), min_size=7, max_size=7))
    return {"flex": steps, "weekdays": bytes(weekdays)}


@st.composite
def therapies(draw: st.DrawFn) -> dict[str, Any]:
    """Changes to the plain therapy: any mode, with or without patient, periodic and square boluses."""
    worth = draw(st.sampled_from(WORTHS))
    table = draw(st.lists(rates, min_size=1, max_size=4))
    basal = draw(rates)
    made: dict[str, Any] = {
        "mode": draw(st.sampled_from(["stopped", "minimum_rate", "continuous", "flex", "titration"])),
        "step_ng_num": worth[0],
        "step_ng_den": worth[1],
        "basal_num": basal[0],
        "basal_den": basal[1],
        "rates": [{"num": num, "den": den} for num, den in table],
        "caps": [
            {"minutes": 60, "ng": 4_000 * worth[0] // worth[1]},
            {"minutes": 1440, "ng": 24_000 * worth[0] // worth[1]},
        ],
    }
    if made["mode"] == "flex":
        made |= draw(flex(len(table)))
    if made["mode"] == "titration":
        days = [0, *sorted(draw(st.sets(st.integers(1, 5), max_size=3)))]
        made["titration"] = [{"day": day, "rate": draw(st.integers(0, len(table) - 1))} for day in days]
    if draw(st.booleans()):
        made |= {"patient_steps": draw(st.integers(1, 60)), "patient_num": 1, "patient_den": 2_000}
        made["patient_lockout_ms"] = draw(st.integers(120_000, 4_000_000))
        made["patient_per_day"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        made |= {"periodic_steps": draw(st.integers(1, 40)), "periodic_num": 1, "periodic_den": 3_001}
        # Not more than 8000 steps a day, so that the pump's own daily cap has room for the largest basal as well.
        made["periodic_ms"] = draw(st.integers(max(180_000, 10_800 * made["periodic_steps"]), 20_000_000))
    return made


def acts(wait_ms_max: int) -> st.SearchStrategy[Act]:
    """One thing that may happen to a running pump."""
    return st.one_of(
        st.tuples(st.just("advance"), st.integers(1, wait_ms_max)),
        st.tuples(st.just("advance"), st.integers(1, wait_ms_max)),
        st.tuples(st.just("commit"), therapies()),
        st.tuples(st.just("bridge"), st.tuples(therapies(), st.integers(1, 400), rates)),
        st.tuples(st.just("toggle"), st.none()),
        st.tuples(st.just("bolus"), st.integers(1, 200)),
        st.tuples(st.just("square"), st.tuples(st.integers(1, 200), st.integers(600_000, 20_000_000))),
        st.tuples(st.just("patient"), st.none()),
        st.tuples(st.just("cancel"), st.sampled_from(["bolus", "square"])),
        st.tuples(st.just("clock"), st.integers(-14 * 3_600, 14 * 3_600)),
    )


class Beside:
    """A pump and the perfect pump, told the same things at the same pump time."""

    def __init__(self, side: PumpSide, first: dict[str, Any]) -> None:
        self.side = side
        self.ideal = ReferencePump()
        self.worth = (500, 1)
        self.clock = datetime(2026, 3, 27, 22, 0, 0)
        self.made_before = 0
        self.commit(first)
        self.set_clock(0)
        self.toggle(None)

    # Acts

    def do(self, act: Act) -> None:
        """Carry out one act on both, and compare."""
        name, value = act
        getattr(self, {"clock": "set_clock"}.get(name, name))(value)
        self.compare()

    def advance(self, ms: int) -> None:
        self.side.twin.advance_time(ms / 1000)

    def commit(self, changes: dict[str, Any]) -> None:
        data = therapy(**changes)
        worth = (changes["step_ng_num"], changes["step_ng_den"])
        self.ideal.advance_to(self.pump_ms)
        if self.side.client.read_status()["bridge_left_steps"] and worth != self.worth:
            # Not a third concentration while a bridge still brings the second one.
            try:
                self.side.client.stage_program(data)
            except RefusedError:
                return
            # Staging takes half a second: the bridge's last step was made in it.
            assert not self.side.client.read_status()["bridge_left_steps"]
        else:
            self.side.client.stage_program(data)
        when = self._time(self.side.client.commit_program(data))
        self.ideal.commit_program(when, from_bytes(data))
        self.worth = worth

    def bridge(self, value: tuple[dict[str, Any], int, tuple[int, int]]) -> None:
        changes, steps, rate = value
        old = {"bridge_ng_num": self.worth[0], "bridge_ng_den": self.worth[1]}
        self.commit(changes | old | {"bridge_steps": steps, "bridge_num": rate[0], "bridge_den": rate[1]})

    def toggle(self, _: None) -> None:
        if self.ideal.running:
            self.ideal.stop_delivery(self._time(self.side.client.stop_delivery()))
        else:
            self.ideal.start_delivery(self._time(self.side.client.start_delivery()))

    def bolus(self, steps: int) -> None:
        self._ask(lambda: self.side.client.give_bolus(steps), lambda at: self.ideal.ask_bolus(at, steps))

    def square(self, value: tuple[int, int]) -> None:
        steps, duration = value
        self._ask(
            lambda: self.side.client.square_bolus(steps, duration),
            lambda at: self.ideal.ask_square_bolus(at, steps, duration),
        )

    def patient(self, _: None) -> None:
        self._ask(self.side.client.patient_bolus, self.ideal.ask_patient_bolus)

    def cancel(self, which: str) -> None:
        client, ideal = self.side.client, self.ideal
        try:
            outcome = client.bolus_cancel() if which == "bolus" else client.square_cancel()
        except RefusedError:
            ideal.advance_to(self.pump_ms)
            assert (ideal.running_bolus if which == "bolus" else ideal.running_square) is None
            return
        (ideal.cancel_bolus if which == "bolus" else ideal.cancel_square)(self._time(outcome))

    def set_clock(self, change_s: int) -> None:
        """Set the calendar `change_s` seconds from where it was meant to be."""
        self.clock += timedelta(seconds=change_s)
        local = self.clock + timedelta(milliseconds=self.pump_ms)
        when = self._time(self.side.client.set_clock(local))
        since = local - EPOCH
        ms = (since - timedelta(days=since.days)) // timedelta(milliseconds=1)
        self.ideal.set_clock(when, since.days, ms)

    def _ask(self, ask: Callable[[], dict[str, Any]], ideal: Callable[[int], bool]) -> None:
        """Both give a bolus, or both refuse it."""
        try:
            when, given = self._time(ask()), True
        except RefusedError:
            refused = self.side.records()[-1]
            assert refused.kind == "refused"
            when, given = refused.day * DAY_MS + refused.ms, False
        assert ideal(when) == given

    def reset(self, _: None) -> None:
        """The power fails: at most one lease slice is lost, the interval says so, and what goes on is exact again."""
        client, ideal = self.side.client, self.ideal
        ideal.advance_to(self.pump_ms)
        left = sum(dose.steps for dose in (ideal.running_bolus, ideal.running_square) if dose)
        before = client.read_status()
        self.side.reset()
        status = client.read_status()
        unsure = status["high_steps"] - status["low_steps"] - (before["high_steps"] - before["low_steps"])
        assert status["low_steps"] <= self.side.twin.plant.read_encoder() <= status["high_steps"]
        # A slice is an hour at the rate that ran when it was leased: at most the largest of this test.
        assert 0 <= unsure <= 3_600_000 // 8_000 + left
        self._begin_again(status)

    def _begin_again(self, status: dict[str, Any]) -> None:
        old, ideal = self.ideal, ReferencePump()
        assert old.program is not None
        assert (status["delivery"] == "running") == old.running
        at = self.side.boot_ms
        ideal.commit_program(at, old.program)
        ideal._delivery_ms = status["titration_day"] * DAY_MS
        ideal._commit_made = status["bridge_left_steps"] - old.program.bridge_steps
        ideal._patient_times = old._patient_times
        ideal._periodic_ms = max(1, old.program.periodic_ms - (at - self._period_began()))
        ideal.running = old.running
        ideal._mark_corner()
        self.ideal = ideal
        self.made_before = self.side.twin.plant.read_encoder()

    def _period_began(self) -> int:
        """Pump time from which the period of the next periodic bolus counts."""
        for record in reversed(self.side.records()):
            if record.kind in ("start", "periodic_bolus") or (record.kind == "worth" and record.period_begins):
                return record.day * DAY_MS + record.ms
        return 0

    # Comparing

    @property
    def pump_ms(self) -> int:
        return self.side.pump_ms

    def _time(self, outcome: dict[str, Any]) -> int:
        record = self.side.records(outcome["record"])[0]
        return record.day * DAY_MS + record.ms

    def compare(self) -> None:
        """The pump has made exactly the steps that a perfect pump has made by now."""
        self.ideal.advance_to(self.pump_ms)
        made = self.side.twin.plant.read_encoder() - self.made_before
        if made != self.ideal.made:
            # Leases that resets left open count as delivered: so many of them may reach a cap, which is another test.
            assume("dose_cap" not in self.side.client.read_status()["alarms"])
        assert made == self.ideal.made, (self.pump_ms, self.ideal.basal_rate)

    def check_every_step(self) -> None:
        """Each step came within half a step of each of the streams that ran.

        A bolus counts whole from its last step on, which is half a step more at that moment; and one motor serves all
        streams: a step that falls into the 100 ms of another one comes after it.
        """
        times = self.side.twin.step_times_ms()
        streams = 1 + bool(self.ideal.given) + any(given.kind == "square" for given in self.ideal.given)
        late = 100 * (Fraction(1, 8_000) + max((given.rate for given in self.ideal.given), default=Fraction(0)))
        allowed = Fraction(streams + 1, 2) + late if streams > 1 else Fraction(1, 2)
        assert self.ideal.max_deviation(times, 0, self.pump_ms) <= allowed
