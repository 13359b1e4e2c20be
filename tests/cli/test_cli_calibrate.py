"""`dosebench bench`, and `dosebench calibrate` on a simulated pump whose true step volume is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from commandline import EXAMPLES, Run
from dosebench.bench.calibration import volume_nl
from dosebench.twin.persistent import NamedTwin
from dosebench.twin.twin import Twin

PORT = ("--port", "sim://cal")
REGIMEN = EXAMPLES / "c7-bridge-before.toml"
"""For implant-40, with a catheter that may be primed."""
Balance = Callable[..., None]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text((EXAMPLES / "benches" / "pico-a4988-peristaltic.toml").read_text())
    return path


@pytest.fixture
def balance(monkeypatch: pytest.MonkeyPatch) -> Balance:
    """A balance of 0.1 mg under the simulated pump: what it shows answers each question, once it was tared."""
    twins: list[Twin] = []
    opened = NamedTwin.open_twin

    def watched(self: NamedTwin) -> Twin:
        twins.append(opened(self))
        return twins[-1]

    def set_up(seed: int, noise_mg: float = 0.1, unit: str = "mg") -> None:
        chance = random.Random(seed)
        tare = [0.0]

        def shown() -> float:
            volume = twins[-1].plant.delivered_nl(twins[-1].machine.now_us)
            return volume / volume_nl(1, 20) if unit == "mg" else volume / 1000

        def prompt(text: str, *, value_proc: Callable[[str], Any], **_: object) -> Any:
            if "tare" in text:
                tare[0] = shown()
                return value_proc("")
            return value_proc(f"{shown() - tare[0] + chance.gauss(0, noise_mg):.1f} {unit}")

        monkeypatch.setattr(click, "prompt", prompt)

    monkeypatch.setattr(NamedTwin, "open_twin", watched)
    return set_up


@pytest.fixture
def programmed(run: Run) -> None:
    assert run("program", REGIMEN, *PORT, "--yes", "--confirm").code == 0


@pytest.mark.requirement("R1")
@pytest.mark.usefixtures("programmed")
@pytest.mark.parametrize(("seed", "factor"), [(1, 1.07), (2, 0.93), (3, 1.0)])
def test_the_step_that_was_measured_is_the_true_one_within_its_uncertainty(
    run: Run, bench: Path, balance: Balance, seed: int, factor: float
) -> None:
    assert run("sim", "cal", "--fault", f"step_volume_factor={factor}").code == 0
    balance(seed)
    done = run("calibrate", bench, *PORT, "--resolution", "0.1 mg", "--amount", "400 steps", "-y", "--json")
    assert done.code == 0, done.err
    found = done.json
    assert found["steps"] == 2_000
    assert abs(found["step_ul"] - 0.25 * factor) <= found["uncertainty_ul"]
    assert found["uncertainty_ul"] < 0.01 * found["step_ul"]
    assert found["significant"] == (factor != 1.0)
    assert found["written"]
    assert run("bench", "check", bench, "--json").json["step"]["measured_ul"] == found["step_ul"]


@pytest.mark.requirement("R13", "R53")
@pytest.mark.usefixtures("programmed")
def test_from_the_balance_to_doses_in_the_new_step(run: Run, bench: Path, balance: Balance) -> None:
    run("sim", "cal", "--fault", "step_volume_factor=1.07")
    balance(4)
    assert run("calibrate", bench, *PORT, "--amount", "400 steps", "--yes").code == 0
    assert run("start", *PORT).code == 0
    content = run("status", *PORT, "--json").json["reservoir_ml"]
    flashed = run("sim", "cal", "--flash", bench, "--json").json
    # The same content, less the slice of a lease that the boot counts as delivered, in other steps.
    now = run("status", *PORT, "--json").json
    assert now["step_ul"] == flashed["step_ul"]
    assert content - 0.03 < now["reservoir_ml"] <= content
    assert run("refill", "39 mL", *PORT, "--json").json["steps"] == int(39_000 / flashed["step_ul"])
    # What it had counts other steps: it waits, and says so, until it is programmed in the new ones.
    assert run("why", *PORT, "--json").json["reasons"][0]["reason"] == "therapy_unfit"
    assert run("start", *PORT).code == 1
    refused = run("program", REGIMEN, *PORT, "--yes", "--confirm", "--json")
    assert refused.json["error"]["reason"] == "step_volume"
    assert run("program", REGIMEN, *PORT, "--yes", "--confirm", "--bench", bench, "--start").code == 0
    before = run("sim", "cal", "--json", "--advance", "1 s").json["reservoir_ml"]
    passed = run("sim", "cal", "--json", "--advance", "3 days").json
    # 0.6 mL a day, as ordered, by the true volume.
    assert before - passed["reservoir_ml"] == pytest.approx(1.8, rel=0.01)
    assert passed["steps"] * flashed["step_ul"] / 1000 == pytest.approx(1.8, abs=0.001)
    # The journal's volumes: each step as what it was when it was made.
    run("log", "pull", *PORT)
    drawn = run("plot", "--out", bench.with_name("delivery.svg"), "--json").json
    stopped = run("log", "show", "--kind", "close", "--json").json["records"][-1]["fields"]
    volume = stopped["low_steps"] * 0.25 + (drawn["delivered_steps"] - stopped["low_steps"]) * flashed["step_ul"]
    assert stopped["stop_reason"] == "fault"
    assert drawn["delivered_ml"] == pytest.approx(volume / 1000, abs=1e-9)
    assert drawn["expected_ml"] == pytest.approx(drawn["delivered_ml"], abs=0.005)


@pytest.mark.usefixtures("programmed")
def test_a_running_pump_is_measured_by_boluses_and_its_basal_counts(run: Run, bench: Path, balance: Balance) -> None:
    text = REGIMEN.read_text().replace("[catheter]", '[bolus]\nmax = "50 ug"\nrate = "500 ug/h"\n\n[catheter]')
    regimen = bench.with_name("regimen.toml")
    regimen.write_text(text)
    assert run("program", regimen, *PORT, "--yes", "--confirm", "--start").code == 0
    balance(5, noise_mg=0.05, unit="uL")
    done = run("calibrate", bench, *PORT, "--amount", "200 steps", "--runs", "3", "--json")
    assert done.code == 0, done.err + done.out
    found = done.json
    assert found["method"] == "volume"
    assert found["steps"] > 600
    assert abs(found["step_ul"] - 0.25) <= found["uncertainty_ul"] + 0.002
    assert not found["written"]
    assert "calibration" not in bench.read_text().split("[tone]")[1]


@pytest.mark.usefixtures("programmed")
def test_a_pump_that_stops_measures_nothing(run: Run, bench: Path, balance: Balance) -> None:
    balance(6)
    run("sim", "cal", "--fault", "stall")
    stopped = run("calibrate", bench, *PORT, "--yes")
    assert stopped.code == 1
    assert "of 200 steps" in stopped.err
    assert run("calibrate", bench, *PORT, "--amount", "5000 steps").code == 1


def test_without_a_therapy_nothing_is_delivered(run: Run, bench: Path) -> None:
    assert "no therapy" in run("calibrate", bench, *PORT).err


def test_runs_from_elsewhere_and_a_result_that_cannot_be(run: Run, bench: Path, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("steps,volume_ul\n1000,251\n1000,252\n1000,250\n")
    found = run("calibrate", bench, "--from-csv", table, "--yes", "--json").json
    assert found["step_ul"] == pytest.approx(0.251)
    assert found["written"]
    before = bench.read_text()
    table.write_text("steps,volume_ul\n1000,151\n1000,152\n1000,150\n")
    refused = run("calibrate", bench, "--from-csv", table, "--yes")
    assert refused.code == 1
    assert "too far" in refused.out
    table.write_text("steps,volume_ul\n1000,251\n1000,252\n1000,250\n")
    unasked = run("calibrate", bench, "--from-csv", table)
    assert unasked.code == 0
    assert "--yes" in unasked.out
    assert bench.read_text() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("steps,volume_ul\n1000,251\n".encode("utf-16"), "not UTF-8"),
        (b"steps,mass\n1000,251\n", "either mass_mg or volume_ul"),
        (b"steps,volume_ul\n1000,251 uL\n", "line 2: every figure must be a number"),
        (b"steps,volume_ul\r\n1000,251\r\n0,251\r\n", "line 3: steps and volume_ul must be above zero"),
    ],
)
def test_a_file_of_runs_that_cannot_be_read_is_named_with_its_line(
    run: Run, bench: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    table = tmp_path / "runs.csv"
    table.write_bytes(content)
    ran = run("calibrate", bench, "--from-csv", table)
    assert ran.code == 1
    assert says in ran.err


def test_bench_check_names_mistakes_and_shows_what_is_right(run: Run, bench: Path) -> None:
    good = run("bench", "check", bench)
    assert good.code == 0
    assert "GP26" in good.out
    assert "16 pulses of the driver" in good.out
    bench.write_text(bench.read_text().replace("step = 2", "step = 23"))
    bad = run("bench", "check", bench)
    assert bad.code == 1
    assert "bench.toml:" in bad.out
    assert run("bench", "check", bench, "--json").json["errors"][0]["code"] == "pin-taken"


def test_bench_list_finds_the_examples(run: Run) -> None:
    found = run("bench", "list", "--json").json
    assert {"pico-tmc2209-syringe", "pico-w-solenoid"} <= {row["name"] for row in found["benches"]}
    assert {row["board"] for row in found["benches"]} <= {row["board"] for row in found["boards"]}
    assert "pico2_w" in run("bench", "list").out


def test_the_bench_of_another_pump_is_refused(run: Run, bench: Path) -> None:
    other = EXAMPLES / "benches" / "pico-w-solenoid.toml"
    assert "the bench has external-mlh-fine" in run("check", REGIMEN, "--bench", other).out
    assert run("sim", "--flash", bench).code == 2
    # A new board is the pump of its bench; none is left of one that does not fit.
    assert run("sim", "cal", "--profile", "implant-40", "--flash", other).code == 1
    assert run("sim", "--list", "--json").json["simulations"] == []
    assert run("sim", "cal", "--flash", bench).code == 0
    assert run("sim", "cal", "--flash", other).code == 1
    assert run("sim", "solenoid", "--flash", other).code == 0
    assert run("status", "-p", "sim://solenoid", "--json").json["profile"] == "external-mlh-fine"


def test_plans_and_comparisons_count_in_the_calibrated_step(run: Run, bench: Path) -> None:
    table = bench.with_name("runs.csv")
    table.write_text("steps,volume_ul\n1000,251\n1000,252\n1000,250\n")
    run("calibrate", bench, "--from-csv", table, "--yes")
    assert run("sim", "cal", "--flash", bench).code == 0
    assert run("program", REGIMEN, *PORT, "--yes", "--confirm", "--bench", bench).code == 0
    assert run("diff", "device", REGIMEN, "--bench", bench, *PORT, "--json").json["same"]
    assert not run("diff", "device", REGIMEN, *PORT, "--json").json["same"]
    planned = run("plan", REGIMEN, "--days", "1", "--bench", bench, "--json").json["totals"][-1]["ml"]
    assert planned == pytest.approx(0.6)
    other = EXAMPLES / "benches" / "pico-w-solenoid.toml"
    assert "the bench has external-mlh-fine" in run("plan", REGIMEN, "--bench", other).out
