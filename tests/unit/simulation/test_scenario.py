"""A scenario's run on a pump that only answers: what is due when, acts, mends, and what is not judged."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from dosebench.link.client import RefusedError
from dosebench.simulation.deviation import Disturbance
from dosebench.simulation.run import CALENDAR
from dosebench.simulation.scenario import CLOSE_LOOKS_MS, MOTOR_FAULTS, PULL_SHARE, SECTOR_SLOTS, _Run
from dosebench.simulation.scenario_file import ACTS, Event, Scenario
from dosebench.twin.faults import KINDS
from journals import named
from programs import example
from scenario_runs import DAY_MS, HOUR_MS, event
from scripted_firmware import echo, scripted
from scripted_pump import blank

START_MS = 10_000


class Client:
    """Answers as a pump that delivers; commands in `refused` are refused for their reason."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.refused: dict[str, str] = {}
        self.now: dict[str, Any] = {
            "delivery": "running",
            "rate_num": 1,
            "rate_den": 54_000,
            "reservoir_steps": 150_000,
        }
        self.held = 0
        self.level: int | None = 149_000

    def read_status(self) -> dict[str, Any]:
        return blank("status", reservoir_known=1, **self.now)

    def read_sensors(self) -> list[dict[str, Any]]:
        return [{"sensor": "battery", "value": 3_600}, {"sensor": "level", "value": self.level}]

    def journal_info(self) -> dict[str, Any]:
        return {"next": self.held}

    def read_journal(self, first: int) -> list[bytes]:
        self.asked.append(("journal", first))
        return [named("lease").to_bytes()] * (self.held - first)

    def __getattr__(self, name: str) -> Any:
        def command(*words: Any) -> dict[str, Any]:
            if name in self.refused:
                raise RefusedError(self.refused[name])
            self.asked.append((name, *words))
            return {"accepted": words[0] if words and isinstance(words[0], int) else 7, "record": 0}

        return command


def run_of(*events: Event, length_ms: int = 3 * DAY_MS, sample_ms: int = DAY_MS) -> tuple[_Run, Client]:
    """A run whose delivery has started, 10 s after the twin was made."""
    scenario = Scenario("a.toml", "", length_ms, 0, sample_ms, frozenset(), events)
    twin, client = scripted(echo)[0], Client()
    run = _Run(twin, client, example(), scenario, None)  # type: ignore[arg-type]
    run.start_ms = START_MS
    twin.advance_us(START_MS * 1000)
    run.programs.append((0, example()))
    return run, client


# What is due when


def names(run: _Run) -> list[tuple[int, str]]:
    """What is due: its time, and whether it looks, mends or happens."""
    made = []
    for at_ms, act in run._build_timeline():
        inner = getattr(act, "func", act)
        made.append((at_ms, inner.__name__.strip("_")))
    return made


def test_samples_are_regular_and_the_end_is_no_sample() -> None:
    assert names(run_of()[0]) == [(DAY_MS, "take_sample"), (2 * DAY_MS, "take_sample")]


def test_at_one_moment_the_bench_looks_first_then_ends_faults_then_acts_then_samples() -> None:
    first = event("fault", HOUR_MS, fault="stall", **{"for": "1 h"})
    second = event("patient_bolus", 2 * HOUR_MS, patient_bolus=True)
    run, _ = run_of(first, second, sample_ms=2 * HOUR_MS)
    due = [name for at_ms, name in names(run) if at_ms == 2 * HOUR_MS]
    assert due == ["take_sample", "mend_after", "run_event", "take_sample"]


def test_what_the_bench_changes_is_looked_at_closely() -> None:
    run, _ = run_of(event("brown_out", HOUR_MS, brown_out="1 min"))
    looks = [at_ms for at_ms, name in names(run) if name == "take_sample"]
    assert set(looks) >= {HOUR_MS, *(HOUR_MS + later for later in CLOSE_LOOKS_MS if HOUR_MS + later < 3 * DAY_MS)}
    quiet, _ = run_of(event("patient_bolus", HOUR_MS, patient_bolus=True))
    assert len(names(quiet)) == 3


def test_a_fault_that_outlasts_the_scenario_is_not_mended() -> None:
    run, _ = run_of(event("fault", 2 * DAY_MS, fault="stall", **{"for": "2 days"}))
    assert "mend_after" not in [name for _, name in names(run)]


# Samples


def test_a_sample_tells_the_pump_and_its_physics() -> None:
    run, client = run_of()
    run.twin.plant.make_step(run.twin.machine.now_us)
    run._take_sample()
    (sample,) = run.samples
    assert (sample.at_ms, sample.delivery, sample.steps) == (0, "running", 1)
    assert (sample.reckoned_nl, sample.measured_nl) == (150_000 * 250, 149_000 * 250)
    assert sample.true_nl == pytest.approx(40e6, abs=1_000)
    assert sample.steps_per_day == pytest.approx(1_600)
    client.now |= {"reservoir_steps": 0}
    client.level = None
    run._take_sample()
    assert run.samples[1].measured_nl is None


def test_the_journal_is_pulled_before_it_wraps() -> None:
    run, client = run_of()
    most = run.twin.machine.config["flash_sectors"] * SECTOR_SLOTS // PULL_SHARE
    client.held = most
    run._take_sample()
    assert ("journal", 0) not in client.asked
    client.held = most + 1
    run._take_sample()
    assert ("journal", 0) in client.asked
    assert len(run.journal) == most + 1
    run._take_sample()
    assert client.asked.count(("journal", most + 1)) == 0


# Acts


@pytest.mark.parametrize(
    ("act", "table", "asked"),
    [
        ("patient_bolus", {"patient_bolus": True}, ("patient_bolus",)),
        ("bolus", {"bolus": "20 ug"}, ("give_bolus", 40)),
        ("bolus", {"bolus": "10 uL"}, ("give_bolus", 40)),
        ("square", {"square": "20 ug", "over": "2 h"}, ("square_bolus", 40, 2 * HOUR_MS)),
        ("cancel", {"cancel": "bolus"}, ("bolus_cancel",)),
        ("cancel", {"cancel": "square"}, ("square_cancel",)),
        ("start", {"start": True}, ("start_delivery",)),
        ("stop", {"stop": True}, ("stop_delivery",)),
        ("clear", {"clear": ["leak"]}, ("alarm_clear", ["leak"])),
        ("silence", {"silence": "1 min"}, ("alarm_silence", 60_000)),
        ("set_clock", {"set_clock": "2026-03-29T03:00"}, ("set_clock", datetime(2026, 3, 29, 3))),
        ("set_clock", {"set_clock": True}, ("set_clock", CALENDAR)),
    ],
)
def test_an_act_is_its_command(act: str, table: dict[str, Any], asked: tuple[Any, ...]) -> None:
    run, client = run_of()
    run._run_event(event(act, **table))
    assert client.asked == [asked]
    (done,) = run.acts
    assert (done.act, done.outcome, done.at_ms) == (act, "done", 0)


def test_every_act_has_its_way() -> None:
    assert all(hasattr(_Run, f"_do_{act}") for act in ACTS)
    assert set(KINDS) >= MOTOR_FAULTS


def test_a_refused_act_is_told_and_is_a_fault_unless_it_is_expected() -> None:
    run, client = run_of()
    client.refused["give_bolus"] = "bolus_over_cap"
    run._run_event(event("bolus", bolus="20 ug"))
    run._run_event(event("bolus", bolus="20 ug", expect="refused"))
    assert [done.outcome for done in run.acts] == ["refused: bolus_over_cap"] * 2
    assert [verdict.met for verdict in run.verdicts] == [False, True]


def test_an_event_may_only_look() -> None:
    run, _ = run_of()
    run._run_event(event("", expect_state="running", expect_rate="800 ug/day"))
    assert run.acts[0].act == "note"
    assert [verdict.met for verdict in run.verdicts] == [True, True]


def test_clearing_all_clears_what_is_on() -> None:
    run, client = run_of()
    client.now["alarms"] = ("leak", "occlusion")
    run._run_event(event("clear", clear="all"))
    assert client.asked == [("alarm_clear", ["leak", "occlusion"])]
    assert run.acts[0].details == {"alarms": ["leak", "occlusion"]}


@pytest.mark.parametrize(
    ("table", "said", "withdrawn", "truly_nl"),
    [
        ({"refill": "20 mL"}, 80_000, None, 20e6),
        ({"refill": "20 mL", "truly": "19 mL"}, 80_000, None, 19e6),
        ({"refill": "20 mL", "withdrawn": "5 mL"}, 80_000, 20_000, 20e6),
        ({"refill": "20 mL", "withdrawn": "measured"}, 80_000, 160_000, 20e6),
    ],
)
def test_a_refill_says_one_thing_and_does_another(
    table: dict[str, str], said: int, withdrawn: int | None, truly_nl: float
) -> None:
    run, client = run_of()
    run._run_event(event("refill", **table))
    assert client.asked == [("record_refill", said, withdrawn)]
    assert run.twin.plant.reservoir_nl() == truly_nl
    details = run.acts[0].details
    assert (details["filled_nl"], details["truly_nl"], details["expected_nl"]) == (20e6, truly_nl, 150_000 * 250)
    assert details["withdrawn_nl"] == (None if withdrawn is None else withdrawn * 250)


def test_a_new_program_is_the_one_of_later_amounts() -> None:
    run, client = run_of()
    other = example("c7-bridge")
    run.put_in_force = lambda program: client.asked.append(("program", program.program_hash())) or {}  # type: ignore[method-assign]
    run._do_program(Event(0, 1, "program", event("program", program="x.toml").table, other))
    assert run.program is other
    assert run.programs[-1] == (0, other)
    assert client.asked == [("program", other.program_hash())]


def test_a_power_cut_pulls_the_journal_first() -> None:
    run, client = run_of()
    client.held = 3
    client.now |= {"low_steps": 5, "high_steps": 9}
    run._run_event(event("brown_out", brown_out="1 min"))
    assert client.asked[0] == ("journal", 0)
    assert run.twin.now_s == pytest.approx(START_MS / 1000 + 60)
    assert run.acts[0].details == {"off_ms": 60_000, "low": 5, "high": 9}


# Faults


def test_faults_are_set_and_mended_by_name_after_their_time_or_all_at_once() -> None:
    run, _ = run_of()
    run._run_event(event("fault", fault=["occlusion=20", "level_stuck"]))
    assert run.twin.plant.faults.list_present() == {"occlusion": 20, "level_stuck": True}
    run._run_event(event("mend", mend="level_stuck"))
    assert run.twin.plant.faults.list_present() == {"occlusion": 20}
    run._run_event(event("fault", fault="stall"))
    run._mend_after(event("fault", fault="stall"))
    assert run.acts[-1].act == "mend"
    run._run_event(event("mend", mend="all"))
    assert run.twin.plant.faults.list_present() == {}
    assert run.acts[-1].details["faults"] == ["occlusion"]


def test_a_motor_that_does_not_turn_is_not_judged_from_its_fault_to_its_mend() -> None:
    run, _ = run_of()
    run._run_event(event("fault", fault="stall"))
    run.twin.advance_time(60)
    run._run_event(event("fault", fault="slip"))
    run._run_event(event("mend", mend="stall"))
    assert run.disturbed == [], "it still slips"
    run._run_event(event("mend", mend="all"))
    assert run.disturbed == [Disturbance(START_MS, START_MS + 60_000, "stall")]
    run._run_event(event("fault", fault="occlusion"))
    assert run.motor_fault is None


def test_a_fault_that_lasts_to_the_end_is_not_judged_to_the_end() -> None:
    run, _ = run_of()
    run._run_event(event("fault", fault="stall"))
    run._close_disturbances([])
    assert run.disturbed == [Disturbance(START_MS, run.end_ms, "stall")]


def test_an_implant_is_told_its_date_where_service_ends() -> None:
    run, client = run_of()
    run.twin.machine.config["service_months"] = 84
    run.begin_therapy = lambda: client.asked.append(("program",)) or {}  # type: ignore[method-assign]
    run.record_ms = lambda _: 3_000  # type: ignore[method-assign]
    run.shift_ms = lambda: 500  # type: ignore[method-assign]
    run._start_delivery()
    assert client.asked == [
        ("program",),
        ("set_clock", CALENDAR),
        ("record_implant", date(2026, 1, 1)),
        ("start_delivery",),
    ]
    assert run.start_ms == 3_500
    assert len(run.samples) == 1
