"""`dosebench watch`: samples for people and for programs."""

from __future__ import annotations

import json

from commandline import Run


def test_a_line_for_each_sample(run: Run) -> None:
    ran = run("watch", "-p", "sim://?runtime=cpython", "--count", 3, "--period", "500 ms", "--field", "worst_alarm")
    assert ran.code == 0, ran
    head, *lines = ran.out.splitlines()
    assert head.split() == ["pump", "time", "worst_alarm"]
    assert [line.split()[0] for line in lines] == ["0"] * 3
    assert [line.split()[-1] for line in lines] == ["none"] * 3
    told = run("watch", "-p", "sim://?runtime=cpython", "--count", 2, "--json")
    samples = [json.loads(line) for line in told.out.splitlines()]
    assert [sample["number"] for sample in samples] == [0, 1]
    assert samples[1]["ms"] - samples[0]["ms"] == 1000
    assert samples[0]["values"]["delivery"] == "unprogrammed"


def test_fields_are_listed_and_unknown_ones_refused(run: Run) -> None:
    port = ("-p", "sim://?runtime=cpython")
    assert "battery       mV" in run("watch", *port, "--fields").out
    ran = run("watch", *port, "--field", "pulse")
    assert ran.code == 1
    assert "no field pulse" in ran.err
    assert "battery" in ran.err
    assert run("watch", *port, "--period", "1 ms").code == 1
