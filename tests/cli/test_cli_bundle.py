"""`dosebench bundle`: what is in it, and what must not be."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import pytest
from commandline import Run
from dosebench.link.keys import KeyStore


def _unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_a_bundle_holds_what_a_bug_report_needs(run: Run, programmed: str, tmp_path: Path) -> None:
    assert run("bolus", "25 ug", "--port", programmed).code == 0
    ran = run("bundle", "--port", programmed, "-o", tmp_path / "report.zip", "--json")
    assert (ran.code, ran.json["problems"]) == (0, [])
    files = _unpacked(tmp_path / "report.zip")
    assert sorted(files) == ran.json["files"]
    assert {"versions.json", "pump.json", "therapy.json", "transcript.txt", "sim.json", "flash.bin"} <= set(files)
    records = [json.loads(line) for line in files["journal.jsonl"].splitlines()]
    assert "bolus" in {record["kind"] for record in records}
    assert len(files["journal.bin"]) == 40 * len(records)
    told = json.loads(files["pump.json"])
    assert (told["status"]["delivery"], told["selftest"] != {}) == ("running", True)
    assert json.loads(files["sim.json"])["options"]["profile"] == "implant-40"
    assert b"> hello seq 1" in files["transcript.txt"] or b"> status" in files["transcript.txt"]
    # The README says what every file is.
    listed = {line.split()[0] for line in files["README.txt"].decode().splitlines()[2:]}
    assert listed == set(files) - {"README.txt"}


@pytest.mark.requirement("R62")
def test_no_key_is_in_a_bundle(run: Run, programmed: str, state: Path, tmp_path: Path) -> None:
    assert run("bundle", "--port", programmed, "-o", tmp_path / "report.zip").code == 0
    device = bytes.fromhex(run("status", "-p", programmed, "--json").json["device_id"])
    kept = KeyStore().get_keys(device)
    assert kept is not None
    # They do lie beside what is packed.
    assert kept.roles["service"].hex() in (state / "sims/bench/twin.json").read_text()
    packed = b"\n".join(_unpacked(tmp_path / "report.zip").values())
    for key in kept.roles.values():
        # A part of one is too much too.
        for part in (key[:8], key[-8:]):
            assert part not in packed
            assert part.hex().encode() not in packed.lower()
        assert base64.b64encode(key)[:10] not in packed
    assert b'"keys"' not in packed
    assert str(state).encode() not in packed


def test_without_a_pump_a_bundle_says_what_is_missing(run: Run, tmp_path: Path) -> None:
    ran = run("bundle", "--port", tmp_path / "nowhere", "-o", tmp_path / "report.zip", "--json")
    assert ran.code == 0
    assert "there is no port" in ran.json["problems"][0]
    files = _unpacked(tmp_path / "report.zip")
    assert set(files) == {"README.txt", "versions.json", "problems.txt"}
    assert b"there is no port" in files["problems.txt"]
