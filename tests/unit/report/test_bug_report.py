"""A bug report: what is in it, that no key is, and that what cannot be had is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from dosebench.base.errors import DosebenchError
from dosebench.link.client import PumpClient
from dosebench.report.bug_report import (
    PACKAGES,
    README,
    SIM_FIGURES,
    WHATS,
    Bundle,
    add_pump,
    add_simulation,
    add_versions,
)
from pumpside import therapy
from scripted_pump import Refusal, ScriptedPump, blank, joined, records

SECRET = "5ec2e7" * 10


def client_of(pump: ScriptedPump) -> PumpClient:
    client = PumpClient(pump)
    client.connect()
    return client


def told(bundle: Bundle, name: str) -> Any:
    return json.loads(bundle.files[name])


def test_bytes_become_hexadecimal_and_other_things_text() -> None:
    bundle = Bundle()
    bundle.add_json("x.json", {"a": b"\x01\xff", "b": Path("p"), "c": [1, None]})
    assert told(bundle, "x.json") == {"a": "01ff", "b": "p", "c": [1, None]}


@pytest.mark.parametrize("error", [DosebenchError("no"), OSError("no"), ValueError("no")])
def test_what_fails_is_left_out_and_said(error: Exception) -> None:
    def fail() -> None:
        raise error

    bundle = Bundle()
    bundle.try_part("the journal", fail)
    assert bundle.problems == ["the journal: no"]


def test_a_mistake_of_the_program_is_no_problem_of_the_pump() -> None:
    def fail() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        Bundle().try_part("x", fail)


def test_the_same_content_gives_the_same_bytes_with_a_readme(tmp_path: Path) -> None:
    written = []
    for name in ("one.zip", "two.zip"):
        bundle = Bundle(problems=["flash: gone"])
        bundle.add_json("versions.json", {"python": "3.11"})
        bundle.write_zip(tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    with zipfile.ZipFile(tmp_path / "one.zip") as packed:
        assert packed.namelist() == sorted(["versions.json", "problems.txt", README])
        assert packed.read("problems.txt") == b"flash: gone\n"
        readme = packed.read(README).decode()
    assert WHATS["versions.json"] in readme
    assert WHATS["problems.txt"] in readme
    assert WHATS["flash.bin"] not in readme


def test_without_problems_there_is_no_list_of_them(tmp_path: Path) -> None:
    Bundle().write_zip(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as packed:
        assert packed.namelist() == [README]


def test_versions_are_those_of_what_counts() -> None:
    bundle = Bundle()
    add_versions(bundle)
    found = told(bundle, "versions.json")
    assert set(found) == {"python", "platform", *PACKAGES}
    assert found["dosebench"]
    assert str(Path.home()) not in json.dumps(found)


# A pump


def test_all_that_a_pump_can_be_asked_without_a_key() -> None:
    program = therapy()
    pump = ScriptedPump(journal=records(30))
    pump.answers["status"] = blank("status", delivery="running")
    pump.answers["program_read"] = blank("program_read", length=len(program), data=program)
    pump.answers["fault_info"] = blank("fault_info", first=0, next=2)
    pump.answers["fault_read"] = blank("fault_read", records=joined(pump.journal[:2]))
    bundle = Bundle()
    add_pump(bundle, client_of(pump))
    assert bundle.problems == []
    assert set(told(bundle, "pump.json")) == {"hello", "status", "sensors", "selftest", "counters", "memory", "service"}
    assert told(bundle, "therapy.json")["basal_den"] == 54_000
    assert bundle.files["journal.bin"] == joined(pump.journal)
    assert bundle.files["faults.bin"] == joined(pump.journal[:2])
    lines = [json.loads(line) for line in bundle.files["journal.jsonl"].splitlines()]
    assert [line["sequence"] for line in lines] == list(range(30))
    assert "session_open" not in pump.names()
    assert set(bundle.files) <= set(WHATS)


def test_a_pump_without_a_therapy_has_none_in_the_report() -> None:
    bundle = Bundle()
    add_pump(bundle, client_of(ScriptedPump()))
    assert "therapy.json" not in bundle.files
    assert bundle.problems == []


def test_a_pump_that_answers_only_some_gives_the_rest() -> None:
    pump = ScriptedPump(answers={"counters": Refusal("busy"), "journal_info": Refusal("busy")})
    bundle = Bundle()
    add_pump(bundle, client_of(pump))
    assert [problem.split(":")[0] for problem in bundle.problems] == ["counters", "journal"]
    assert "status" in told(bundle, "pump.json")
    assert "counters" not in told(bundle, "pump.json")
    assert "journal.bin" not in bundle.files
    assert "faults.bin" in bundle.files


# A simulated board


def test_of_a_simulated_board_only_named_figures_are_taken(tmp_path: Path) -> None:
    kept = dict.fromkeys(SIM_FIGURES, 1) | {"keys": {"operator": SECRET}, "pid": 7, "to_device": SECRET}
    (tmp_path / "twin.json").write_text(json.dumps(kept))
    (tmp_path / "flash.bin").write_bytes(b"flash")
    bundle = Bundle()
    add_simulation(bundle, tmp_path)
    assert set(told(bundle, "sim.json")) == set(SIM_FIGURES)
    assert bundle.files["flash.bin"] == b"flash"
    assert "firmware.log" not in bundle.files
    (tmp_path / "firmware.log").write_text("Traceback")
    add_simulation(bundle, tmp_path)
    assert bundle.files["firmware.log"] == b"Traceback"
    assert SECRET.encode() not in b"".join(bundle.files.values())
    assert "keys" not in SIM_FIGURES
