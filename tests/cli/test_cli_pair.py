"""`dosebench pair`, and keys on this host: made, kept, changed, forgotten; and what a host without them can do."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commandline import Run
from dosebench.journal.store import Store
from dosebench.link.keys import KeyStore, new_keys

BENCH = "sim://bench"
PUMP = b"\x01\x02\x03\x04"


def _device(run: Run) -> str:
    return str(run("status", "-p", BENCH, "--json").json["device_id"])


def test_a_new_simulated_board_has_keys_and_this_host_has_them(run: Run) -> None:
    device = _device(run)
    listed = run("pair", "--list", "--json").json["pumps"]
    assert [(one["device_id"], one["where"]) for one in listed] == [(device, "file")]
    assert listed[0]["roles"] == ["operator", "programmer", "service"]
    ran = run("pair", "--port", BENCH, "--json")
    assert (ran.code, ran.json["state"]) == (0, "unchanged")


@pytest.mark.requirement("R62")
def test_without_the_key_a_host_changes_nothing_and_stops_all_the_same(run: Run, programmed: str) -> None:
    device = _device(run)
    assert run("pair", "--forget", device).code == 0
    assert run("pair", "--list").out == "this host has no keys\n"
    ran = run("bolus", "5 ug", "--port", programmed, "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "NotPairedError"
    assert "dosebench pair" in ran.json["error"]["hint"]
    assert run("status", "-p", BENCH, "--json").json["delivery"] == "running"
    assert run("log", "pull", "-p", BENCH).code == 0
    assert run("stop", "-p", BENCH).code == 0
    assert run("status", "-p", BENCH, "--json").json["delivery"] == "stopped"


def test_keys_that_were_lost_are_set_anew_with_the_board_at_hand(run: Run, programmed: str) -> None:
    run("pair", "--forget", _device(run))
    assert run("pair", "-p", programmed, "--json").json["state"] == "paired"
    assert run("stop", "-p", programmed).code == 0
    assert run("start", "-p", programmed).code == 0


@pytest.mark.requirement("R62")
def test_rotated_keys_take_the_place_of_the_old_ones(run: Run, programmed: str) -> None:
    device = bytes.fromhex(_device(run))
    old = KeyStore().get_keys(device)
    assert old is not None
    ran = run("pair", "-p", programmed, "--rotate", "--json")
    assert (ran.code, ran.json["state"]) == (0, "rotated")
    new = KeyStore().get_keys(device)
    assert new is not None
    assert not set(new.roles.values()) & set(old.roles.values())
    assert run("clock", "--set", "now", "-p", programmed).code == 0
    # The therapy went through it: setting keys is a loss of power, no more.
    assert run("status", "-p", programmed, "--json").json["delivery"] == "running"
    KeyStore().put_keys(device, old.roles, secret=False)
    ran = run("clock", "--set", "now", "-p", programmed)
    assert ran.code == 1
    assert "does not have the key" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--port", "sim://"), 1, "ends with its port"),
        (("--port", "socket://localhost:1"), 1, "with the board at hand, when it is flashed"),
        (("--forget", "01020304"), 1, "no keys of pump 01020304"),
        (("--forget", "pump"), 2, "no id of a pump"),
        (("--rotate", "--list"), 2, "exclude each other"),
        (("--accept-journal", "--port", "sim://"), 1, "no keys of pump"),
    ],
)
def test_what_pair_refuses(run: Run, arguments: tuple[str, ...], code: int, text: str) -> None:
    ran = run("pair", *arguments)
    assert ran.code == code
    assert text in ran.err


def test_the_files_with_keys_are_for_their_owner_alone(run: Run, state: Path) -> None:
    _device(run)
    for file in (state / "keys.json", state / "sims" / "bench" / "twin.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(state.glob("*.new"))


@pytest.mark.parametrize("kept", [{"format": 99}, {"format": 1, "pumps": {}}], ids=["later", "0.2.0"])
def test_a_key_file_of_another_release(run: Run, state: Path, kept: dict[str, Any]) -> None:
    KeyStore().put_keys(PUMP, new_keys(), secret=False)
    (state / "keys.json").write_text(json.dumps(kept))
    ran = run("pair", "--list")
    assert ran.code == 1
    assert "was written by another release" in ran.err
    assert "move the file away and flash each pump with this release: that sets keys" in ran.err


def test_a_journal_that_goes_back_has_an_exit_code_of_its_own(run: Run, programmed: str, state: Path) -> None:
    flash = state / "sims" / "bench" / "flash.bin"
    old = flash.read_bytes()
    assert run("bolus", "5 ug", "-p", programmed).code == 0
    run("sim", "--stop", "bench")
    flash.write_bytes(old)
    for _ in range(2):
        ran = run("bolus", "5 ug", "-p", programmed, "--json")
        assert (ran.code, ran.json["error"]["type"]) == (3, "RolledBackError")
        assert "--accept-journal" in ran.json["error"]["hint"]
    kinds = run("status", "-p", programmed, "--json").json
    assert kinds["bolus_left_steps"] == 0
    assert run("pair", "--accept-journal", "-p", programmed).code == 0
    assert run("bolus", "5 ug", "-p", programmed).code == 0


def test_a_board_that_was_removed_and_made_anew_is_another_one(run: Run, programmed: str, c5: Path) -> None:
    run("sim", "--remove", "bench")
    assert run("program", c5, "-p", programmed, "--yes", "--start").code == 0


@pytest.mark.requirement("R60")
def test_a_command_that_a_process_left_open_is_told_about_before_the_next(run: Run, programmed: str) -> None:
    device = bytes.fromhex(_device(run))
    held = KeyStore().get_keys(device)
    assert held is not None
    with Store.open() as store:
        store.next_id(device + held.pairing, "bolus", 0)
    ran = run("bolus", "5 ug", "-p", programmed, "--json")
    assert (ran.code, ran.json["error"]["type"]) == (1, "EarlierCommandError")
    assert "the bolus before this one was never carried out. The new bolus was not sent" in ran.json["error"]["message"]
    assert run("bolus", "5 ug", "-p", programmed).code == 0


ADD_MANY = """
import sys
from dosebench.link.keys import KeyStore, new_keys
for number in range(20):
    KeyStore().put_keys(bytes([int(sys.argv[1]), number, 0, 0]), new_keys(), secret=False)
"""


def test_keys_of_two_processes_do_not_overwrite_each_other() -> None:
    children = [subprocess.Popen([sys.executable, "-c", ADD_MANY, str(number)]) for number in (1, 2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert len(KeyStore().list_pairings()) == 40
