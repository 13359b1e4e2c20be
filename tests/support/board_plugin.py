"""Lets the contract suite test the board files: with `-p board_plugin --board rp2` every twin is a fake chip of it."""

from __future__ import annotations

import pytest
from dosebench.twin import twin as twins
from dosebench.twin.machine import Machine
from dosebench.twin.runtimes import Runtime
from fakemachine import FAKES, FAMILIES, machine_class


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--board", choices=FAMILIES, required=True, help="family of the fake chip")
    parser.addoption("--board-runtime", choices=("unix", "wasm"), default="wasm", help="its MicroPython")


def pytest_configure(config: pytest.Config) -> None:
    family, runtime = config.getoption("--board"), config.getoption("--board-runtime")

    def boot(machine: Machine, _name: str) -> Runtime:
        return twins.ProcessRuntime.start_child(machine, runtime, FAKES / "run.py")

    twins.Machine = machine_class(family)  # type: ignore[misc]
    twins.boot_firmware = boot  # type: ignore[assignment]
