"""The Wireshark dissector on golden frames, where tshark is installed."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from dosebench_protocol import codec
from dosebench_protocol.frame import Frame, encode
from dosebench_protocol.generate.vectors import body_vectors, frame_bytes, golden_frames
from dosebench_protocol.records import make_record
from dosebench_protocol.schema.model import schema
from wire_helpers import ROOT

SCRIPT = ROOT / "protocol" / "wireshark" / "dosebench.lua"


def _capture(path: Path, packets: list[bytes]) -> Path:
    """A capture file of link type USER0 (147)."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 147)
    for packet in packets:
        data += struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet
    path.write_bytes(data)
    return path


def _dissect(capture: Path, *options: str) -> str:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark: install Wireshark's command line")
    command = ["tshark", "-X", f"lua_script:{SCRIPT}", "-r", str(capture), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Lua" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def test_the_script_is_lua() -> None:
    compiler = next(
        (found for name in ("luac", "luac5.4", "luac5.3", "luac5.2") if (found := shutil.which(name))), None
    )
    if compiler is None:
        pytest.skip("no luac: install Lua")
    subprocess.run([compiler, "-p", str(SCRIPT)], check=True)


def test_every_golden_frame_is_named(tmp_path: Path) -> None:
    frames = dict(golden_frames(schema()))
    told = _dissect(
        _capture(tmp_path / "golden.pcap", [frame_bytes(frame) for frame in frames.values()]),
        "-T",
        "fields",
        "-e",
        "_ws.col.Info",
    )
    named = told.splitlines()
    for title, info in zip(frames, named, strict=True):
        message, _, way = title.rpartition("_")
        if way in ("request", "reply"):
            assert info == message + (" reply" if way == "reply" else "")


def test_rows_of_an_array_are_shown(tmp_path: Path) -> None:
    body = next(
        data for body, case, _, data in body_vectors(schema()) if (body.name, case) == ("status_reply", "zeros")
    )
    rows = [
        {"drug": 0, "minutes": 60, "ng": 1234, "ng_max": 5000},
        {"drug": 1, "minutes": 1440, "ng": 5678, "ng_max": 60000},
    ]
    whole = codec.encode_reply("status", **{**codec.decode_reply("status", body), "window_ng": rows})
    told = _dissect(_capture(tmp_path / "rows.pcap", [encode(Frame(0x90, body=whole))]), "-V")
    for text in ("window_ng[0]", "ng: 1234", "window_ng[1]", "minutes: 1440", "ng_max: 60000"):
        assert text in told, told
    assert "window_ng[2]" not in told
    assert "Body too short" not in told
    cut = _dissect(_capture(tmp_path / "cut.pcap", [encode(Frame(0x90, body=whole[:-1]))]), "-V")
    assert "ng: 5678" in cut
    assert "Body too short" in cut


def test_fields_names_and_faults_are_shown(tmp_path: Path) -> None:
    records = [
        make_record("stop", sequence=5, role="operator", host=b"desk", low_steps=77, high_steps=78),
        make_record("latched", alarms=["motor_stall", "pump_stopped"], escalated=["pump_stopped"]),
        make_record("host_done", message="bolus", host=b"desk", accepted=240),
    ]
    record = b"".join(one.to_bytes() for one in records)
    clear = codec.encode_request("alarm_clear", counter=1, alarms=("motor_stall", "dose_cap"))
    good = encode(Frame(0x36, body=clear))
    packets = [
        good + encode(Frame(0xD1, body=codec.encode_reply("journal_read", first=5, records=record))),
        good[:-2] + b"\x55\0",
        encode(Frame(0x90, body=b"\x01")),
        b"\0\0",
    ]
    told = _dissect(_capture(tmp_path / "some.pcap", packets), "-V")
    for text in (
        "alarms: 0307 (motor_stall, dose_cap)",
        "kind: stop (17)",
        "role: operator",
        "host_high: 1",
        "low_steps: 77",
        "alarms: motor_stall, pump_stopped (escalated)",
        "command: bolus",
        "accepted: 240",
        "Bad frame: wrong CRC-32",
        "Body too short",
    ):
        assert text in told, told
