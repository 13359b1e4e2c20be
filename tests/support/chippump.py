"""A whole pump on the board files of a fake chip, from its power-on to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dosebench.link.client import PumpClient
from dosebench.profile.device_config import seal_config
from dosebench.twin.persistent import profile_settings
from dosebench.twin.runtimes import RuntimeName, list_available
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin, one_core
from pumpside import therapy


@contextmanager
def running(twin: Twin, **changes: Any) -> Iterator[PumpClient]:
    """A pump that delivers a step each 54 s, from its power-on to its end; `changes` to its therapy."""
    with one_core():
        twin.power_on()
        try:
            twin.advance_time(5)
            client = PumpClient(Serial(twin=twin, baudrate=twin.machine.baud, timeout=0.1))
            client.connect()
            program = therapy(**changes)
            client.stage_program(program)
            client.commit_program(program)
            client.start_delivery()
            yield client
        finally:
            twin.close()


def settings(runtime: RuntimeName = "wasm", **changes: Any) -> Any:
    if not list_available()[runtime]:
        pytest.skip(f"the {runtime} runtime is not installed here")
    given = profile_settings("implant-40", runtime, seed=1)
    given.config = seal_config(given.config | changes)
    return given
