"""The dosing path allocates nothing on a 32-bit MicroPython; an idle line neither; a frame a bounded amount."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from dosebench.journal.download import download_records
from dosebench.link.telemetry import watch_samples
from dosebench.profile.device_config import seal_config
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import ProcessRuntime
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin, one_core
from dosebench_protocol.codec import by_name
from pumpside import Client, pump, therapy

PROBE = Path(__file__).parent / "heap_probe.py"

ASK_BYTES_MAX = 2_048
SEALED_ASK_BYTES_MAX = 3_072
OPEN_BYTES_MAX = 4_608
STREAM_BYTES_MAX = 5_632
SAMPLE_BYTES_MAX = 1_024
COMMAND_BYTES_MAX = 28_672
"""Stated in docs/FIRMWARE.md: most heap that a turn of the loop takes on a 32-bit port, in bytes, when it answers a
question (`hello`, `status`) without and with a tag, when it offers a session, when it sends a frame of a stream or a
sample, and when it carries out a command (a commit writes and reads back the therapy)."""


@pytest.fixture
def probed(request: pytest.FixtureRequest) -> object:
    settings = profile_settings(getattr(request, "param", "implant-40"), "wasm", seed=1)
    # The proof of the watchdog would end the process that is measured.
    settings.config = seal_config(settings.config | {"watchdog_ms": 0})
    twin = Twin(settings)
    runtime = ProcessRuntime.start_child(twin.machine, "wasm", PROBE)
    with one_core():
        twin.start_firmware(runtime, "power_on")
        yield twin, runtime
        twin.close()


def printed(runtime: ProcessRuntime) -> list[list[int | str]]:
    """What the probe printed, by line and word."""
    assert runtime.process is not None
    assert runtime.process.stderr is not None
    os.set_blocking(runtime.process.stderr.fileno(), False)
    lines = runtime.process.stderr.read().decode().splitlines()
    return [[word if word.isalpha() else int(word) for word in line.split()] for line in lines]


def connect(twin: Twin) -> Client:
    client = Client(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
    client.connect()
    return client


EVERYTHING = {
    "mode": "flex",
    "rates": [{"num": 7, "den": 400_001}, {"num": 1, "den": 70_000}],
    "flex": [{"pattern": day, "minute": 30 * at, "rate": (at + day) % 2} for day in (0, 1) for at in range(48)],
    "weekdays": bytes([0, 1, 0, 1, 0, 1, 0]),
    "periodic_steps": 9,
    "periodic_num": 1,
    "periodic_den": 3_001,
    "periodic_ms": 3_300_000,
}
"""Two day patterns of 48 steps and a periodic bolus."""


@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["continuous", "flex and periodic"])
def test_dosing_and_the_idle_loop_run_with_the_heap_locked(
    probed: tuple[Twin, ProcessRuntime], changes: dict[str, Any]
) -> None:
    twin, runtime = probed
    client = connect(twin)
    client.stage_program(therapy(**changes))
    client.commit_program(therapy(**changes))
    client.set_clock(datetime(2026, 3, 28, 23, 59, 50))
    # The pattern clock catches up while the pump runs; nothing is sent meanwhile.
    client.set_clock(datetime(2026, 3, 29, 5, 0, 0))
    client.start_delivery()
    twin.advance_time(4 * 86_400)
    assert twin.plant.read_encoder() > 5_000
    whole, dosing = next(line[1:] for line in reversed(printed(runtime)) if line[0] == "locked")
    assert whole >= 4_096
    assert dosing >= 200


EXTERNAL = {
    "step_nl_num": 100_000,
    "basal_den": 60_000,
    "minimum_den": 3_600_000,
    "bolus_steps_max": 50,
    "square_steps_max": 50,
    "reservoir_steps": 1_000,
    "low_steps": 50,
    "empty_steps": 5,
    "hour_ng_max": 300_000,
    "day_ng_max": 2_500_000,
}


@pytest.mark.parametrize("probed", ["external-mlh"], indirect=True)
def test_flow_meter_and_air_detector_allocate_nothing(probed: tuple[Twin, ProcessRuntime]) -> None:
    twin, runtime = probed
    client = connect(twin)
    client.stage_program(therapy(**EXTERNAL))
    client.commit_program(therapy(**EXTERNAL))
    client.start_delivery()
    twin.advance_time(12 * 3_600)
    assert twin.plant.read_encoder() > 600
    whole, _ = next(line[1:] for line in reversed(printed(runtime)) if line[0] == "locked")
    assert whole >= 512


def test_a_frame_takes_a_bounded_amount_of_heap(probed: tuple[Twin, ProcessRuntime]) -> None:
    twin, runtime = probed
    client = connect(twin)
    client.read_status()
    client.journal_info()
    client.stage_program(therapy())
    client.read_status()
    client.commit_program(therapy())
    client.read_status()
    client.journal_info()
    spent: dict[tuple[int, bool], int] = {}
    for _, kind, tagged, used in (line for line in printed(runtime) if line[0] == "frame"):
        which = (int(kind), bool(tagged))
        spent[which] = max(spent.get(which, 0), int(used))

    def most(tagged: bool, *names: str) -> int:
        return max(spent[by_name(name).type, tagged] for name in names)

    assert most(False, "hello", "status", "journal_info") <= ASK_BYTES_MAX, spent
    assert most(True, "status", "journal_info") <= SEALED_ASK_BYTES_MAX, spent
    assert most(False, "session_open") <= OPEN_BYTES_MAX, spent
    assert 0 < max(spent.values()) <= COMMAND_BYTES_MAX, spent


def test_a_turn_of_a_stream_takes_a_bounded_amount_of_heap(probed: tuple[Twin, ProcessRuntime]) -> None:
    twin, runtime = probed
    client = connect(twin)
    client.stage_program(therapy())
    client.commit_program(therapy())
    for _ in range(60):
        client.set_clock(datetime(2026, 3, 28, 12, 0, 0))
    client.close()
    client = connect(twin)
    printed(runtime)
    for coding in ("whole", "delta"):
        assert len(list(download_records(client, coding=coding))) > 60
    list(islice(watch_samples(client, (), 100), 30))
    spent: dict[int, list[int]] = {}
    for _, kind, _, used in (line for line in printed(runtime) if line[0] == "frame"):
        spent.setdefault(int(kind), []).append(int(used))
    # A turn that answers nothing more has the type of the last request.
    assert 0 < max(spent[by_name("journal_stream").type]) <= STREAM_BYTES_MAX, spent
    samples = sorted(spent[by_name("telemetry_subscribe").type])
    assert len(samples) >= 30
    # The first one makes the rows.
    assert 0 < samples[-2] <= SAMPLE_BYTES_MAX, spent


HELD_TURNS = 140
"""More than the 128 turns after which this build collects: one of so many answers comes just after a collection."""
HELD_SLACK_BYTES = 256
"""What that answer itself may hold; sixteen bytes a lease would be 140 KB in a year."""
PARTS, PART_DAYS = (12, 30) if os.environ.get("DOSEBENCH_LONG") else (3, 2)
"""A year of months; in `make test` less of it."""


def free_bytes(client: Client) -> int:
    return max(client.connect()["heap_free_bytes"] for _ in range(HELD_TURNS))


def test_the_heap_that_the_pump_holds_does_not_grow() -> None:
    with pump("wasm") as side:
        side.client.set_clock(datetime(2026, 3, 4, 5, 6, 7))
        bolus = {"patient_steps": 3, "patient_num": 1, "patient_den": 9_000, "patient_lockout_ms": 600_000}
        free = []
        for part in range(PARTS + 1):
            side.program(basal_num=1, basal_den=400_000 + part, patient_per_day=24, **bolus)
            side.start()
            for _ in range(25):
                side.client.patient_bolus()
                side.twin.advance_time(3_600)
            side.twin.advance_time((PART_DAYS - 1) * 86_400)
            side.records()
            side.refill(100_000)
            side.client.stop_delivery()
            free.append(free_bytes(side.client))
        # The first part fills what has an upper bound: hosts, patient boluses, moments of stops.
        print(free)
        assert min(free[1:]) >= free[1] - HELD_SLACK_BYTES
