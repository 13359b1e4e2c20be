"""`dosebench sniff`: what passes on a line, as tshark shows it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
from captures import packets_of
from commandline import Run
from dosebench.link.capture import CaptureError, read_spy
from dosebench_protocol.frame import Frame, encode

SCRIPT = Path(__file__).parents[2] / "protocol" / "wireshark" / "dosebench.lua"


def info(path: Path) -> list[str]:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark: install Wireshark's command line")
    command = ["tshark", "-X", f"lua_script:{SCRIPT}", "-r", str(path), "-T", "fields", "-e", "_ws.col.Info"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_a_live_port_is_captured_and_named(tmp_path: Path, run: Run) -> None:
    out, link = tmp_path / "live.pcap", tmp_path / "pump"
    command = [sys.executable, "-c", "import sys; from dosebench.cli.main import main; sys.exit(main())", "sniff"]
    command += ["--port", "sim://?runtime=cpython", "--out", str(out), "--link", str(link), "--json"]
    sniffer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert sniffer.stderr is not None
        assert json.loads(sniffer.stderr.readline())["port"] == str(link.resolve())
        status = run("status", "--port", str(link), "--json")
        assert status.code == 0, status
        samples = run("watch", "--port", str(link), "--count", "2", "--period", "100 ms", "--json")
        assert len(samples.out.splitlines()) == 2
    finally:
        sniffer.send_signal(signal.SIGTERM)
    told, _ = sniffer.communicate(timeout=30)
    packets = packets_of(out)
    assert json.loads(told) == {"file": str(out), "packets": len(packets)}
    assert [at for at, _ in packets] == sorted(at for at, _ in packets)
    assert abs(packets[-1][0] - time.time()) < 600
    named = info(out)
    assert named[0] == "hello"
    for wanted in ("hello reply", "status", "status reply", "telemetry_table reply", "telemetry_subscribe reply"):
        assert wanted in named
    assert not [name for name in named if "bad frame" in name]


def test_a_spy_log_is_converted(tmp_path: Path, run: Run) -> None:
    log, out = tmp_path / "spy.txt", tmp_path / "spy.pcap"
    question, answer = encode(Frame(0x01, body=b"\x01\x01")), encode(Frame(0xFF, body=bytes(6)))
    master, slave = os.openpty()
    with serial.serial_for_url(f"spy://{os.ttyname(slave)}?file={log}", timeout=0.2) as port:
        port.write(question)
        os.write(master, answer + b"\x07\x08\x00")
        port.read(len(answer) + 3)
    os.close(master)
    os.close(slave)
    done = run("sniff", "--spy", str(log), "--out", str(out))
    assert done.code == 0
    assert f"{out}: 3 packets" in done.out
    assert [data for _, data in packets_of(out)] == [question, answer, b"\x07\x08\x00"]
    assert info(out) == ["hello", "REJECTED", "bad frame (no COBS encoding)"]


def test_what_is_wrong_is_said(tmp_path: Path, run: Run) -> None:
    (tmp_path / "no-log").write_text("nothing\n")
    done = run("sniff", "--spy", str(tmp_path / "no-log"), "--out", str(tmp_path / "x.pcap"))
    assert (done.code, "no log of spy://" in done.err) == (1, True)
    assert run("sniff", "--spy", str(tmp_path / "gone"), "--out", str(tmp_path / "x.pcap")).code == 1
    assert run("sniff", "--port", "sim://", "--out", str(tmp_path / "no" / "x.pcap")).code == 1
    assert run("sniff", "--spy", "x", "--listen", "--out", str(tmp_path / "x.pcap")).code == 2
    with pytest.raises(CaptureError):
        list(read_spy(["000000.000 TX   0000  nothing"]))


def test_listening_ends_by_itself(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "quiet.pcap"
    done = run("sniff", "--port", "sim://?runtime=cpython", "--listen", "--for", "0.3 s", "--out", str(out), "--json")
    assert json.loads(done.out)["packets"] == 0
    assert packets_of(out) == []
