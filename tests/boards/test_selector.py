"""The selector of slots, on real files and a real MicroPython: what comes is a pump that is whole, or the REPL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from dosebench.image.source import firmware_dir
from dosebench.twin.runtimes import list_available
from dosebench_protocol.frame import Frame, encode
from dosebench_protocol.tables import FRAME_BYTES_MAX

pytestmark = pytest.mark.skipif(not list_available()["unix"], reason="the unix MicroPython is not installed here")
PROBE: Final = Path(__file__).with_name("selector_probe.py")
MAIN: Final = """
import part
def this_board():
    return part.NAME
def run(board):
    print("runs", board)
"""
REST: Final = "def rest(slot):\n    print('rest', slot[-1])\n"
WINDOW: Final = "dosebench: Ctrl-C within 0 s stops here"


def slot(root: Path, name: str, *, whole: bool = True, files: Mapping[str, str] | None = None) -> None:
    """A slot with a pump that says its name; `files` replaces some of it."""
    content = {
        "main.py": MAIN,
        "part.py": f"NAME = {name!r}\n",
        "pump/__init__.py": "",
        "boards/__init__.py": "",
        "boards/rest.py": REST,
    }
    if whole:
        content["manifest.json"] = "{}"
    for path, text in (content | dict(files or {})).items():
        (root / name / path).parent.mkdir(parents=True, exist_ok=True)
        (root / name / path).write_text(text)


def command(root: Path, *, bitten: bool = False, window_ms: int = 1, presses: str = "") -> list[str]:
    argv = [
        "micropython",
        str(PROBE),
        str(root),
        "bitten" if bitten else "",
        str(firmware_dir()),
        str(window_ms),
        presses,
    ]
    return [sys.executable, "-c", f"import sys, micropython_unix as m; sys.argv = {argv!r}; m.main()"]


def boot(root: Path, *, bitten: bool = False) -> list[str]:
    """What the selector prints, by line; REPL is the last line when it came back."""
    return run(command(root, bitten=bitten), b"")


def boot_pressed(root: Path, then: bytes, presses: int = 1) -> list[str]:
    """The same where Ctrl-C comes in the window, and `then` after it."""
    return run(command(root, window_ms=2000, presses=str(presses)), then)


def run(words: list[str], sent: bytes) -> list[str]:
    done = subprocess.run(words, input=sent, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two slots, of which b is active."""
    for name in ("a", "b"):
        slot(tmp_path, name)
    (tmp_path / "active").write_text("b\n")
    return tmp_path


def test_the_active_slot_runs(root: Path) -> None:
    assert boot(root) == ["rest b", WINDOW, "runs b", "REPL"]


def test_the_motor_is_off_before_anything_else_and_the_window_is_left_out_after_a_bite(root: Path) -> None:
    assert boot(root, bitten=True) == ["rest b", "runs b", "REPL"]


def test_held_it_goes_to_the_repl_with_the_motor_off(root: Path) -> None:
    (root / "hold").touch()
    lines = boot(root)
    assert lines[0] == "rest b"
    assert lines[1].startswith("dosebench: held")
    assert lines[2:] == ["REPL"]


@pytest.mark.parametrize(
    "broken",
    [
        {"part.py": "NAME = "},
        {"main.py": "import part\nraise ValueError('no')\n"},
        {"main.py": MAIN.replace("return part.NAME", "raise ValueError('bench.json')")},
    ],
    ids=["syntax", "import", "board"],
)
def test_a_slot_that_does_not_start_gives_way_to_the_other(root: Path, broken: Mapping[str, str]) -> None:
    slot(root, "b", files=broken)
    lines = boot(root)
    assert lines[0:2] == ["rest b", WINDOW]
    assert "/b does not start:" in lines[2]
    assert lines[3:] == ["runs a", "REPL"]


def test_a_slot_that_was_staged_in_part_is_not_tried(root: Path) -> None:
    (root / "b" / "manifest.json").unlink()
    assert boot(root) == ["rest a", WINDOW, "runs a", "REPL"]


@pytest.mark.parametrize("content", [None, "", "c", "\0\0\0"])
def test_not_knowing_which_slot_is_active_is_said_and_a_whole_one_runs(root: Path, content: str | None) -> None:
    if content is None:
        (root / "active").unlink()
    else:
        (root / "active").write_text(content)
    assert boot(root)[1:] == ["rest a", WINDOW, "runs a", "REPL"]


def test_without_any_slot_it_says_so(tmp_path: Path) -> None:
    lines = boot(tmp_path)
    assert lines[-2:] == ["dosebench: there is no slot that starts; flash the board again", "REPL"]


def test_pins_that_nobody_knows_stop_nothing(root: Path) -> None:
    (root / "b" / "boards" / "rest.py").unlink()
    lines = boot(root)
    assert lines[0].startswith("dosebench: the motor's pins are not known:")
    assert lines[-2:] == ["runs b", "REPL"]


def test_nothing_is_deleted_or_made(root: Path) -> None:
    slot(root, "b", files={"main.py": "import nothing"})
    before = sorted(root.rglob("*"))
    boot(root)
    assert sorted(root.rglob("*")) == before


def test_ctrl_c_in_the_window_lands_at_the_repl(root: Path) -> None:
    with subprocess.Popen(command(root, window_ms=20_000), stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "rest b\n"
        assert process.stdout.readline().startswith("dosebench: Ctrl-C within 20 s")
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().splitlines() == ["dosebench: stopped; a reset starts the pump", "REPL"]


STAYS: Final = ["dosebench: stopped; a reset starts the pump", "REPL"]


@pytest.mark.parametrize("typed", [b"", b"\r", b"\x03\x01", b"import os\r\n"])
def test_what_is_typed_after_ctrl_c_does_not_matter(root: Path, typed: bytes) -> None:
    assert boot_pressed(root, typed)[2:] == STAYS


def test_a_frame_is_no_ctrl_c(root: Path) -> None:
    """Whoever asks a pump on USB before it can answer does not stop it: the first byte of a hello is a Ctrl-C."""
    hello = encode(Frame(1, sequence=3, body=b"\1\1"))
    assert hello[:1] == b"\x03"
    assert boot_pressed(root, hello[1:])[2:] == ["runs b", "REPL"]


def test_after_a_frame_the_window_goes_on(root: Path) -> None:
    assert boot_pressed(root, b"frame\0", presses=2)[2:] == STAYS
    assert boot_pressed(root, b"frame\0frame\0", presses=2)[2:] == ["runs b", "REPL"]


def test_what_never_ends_is_no_frame(root: Path) -> None:
    assert boot_pressed(root, b"\xff" * FRAME_BYTES_MAX + b"\0")[2:] == STAYS
    assert boot_pressed(root, b"\xff" * (FRAME_BYTES_MAX - 1) + b"\0")[2:] == ["runs b", "REPL"]


def test_but_in_the_window_ctrl_c_is_a_byte(root: Path) -> None:
    """A pump that is interrupted in its start does not come back before the next reset."""
    key = "import micropython\nprint('key', micropython.key)\n"
    slot(root, "b", files={"boards/rest.py": key + REST, "part.py": key + "NAME = 'b'\n"})
    assert boot_pressed(root, b"", presses=0) == [
        *("key -1", "rest b", "dosebench: Ctrl-C within 2 s stops here", "key -1", "runs b", "REPL")
    ]


# A pump that is made, and ends


TURNS: Final = """
import part
def this_board():
    return part.NAME
def after_turn():
    pass
def run(board):
    print("runs", board)
    for _ in range({turns}):
        after_turn()
    {end}
"""
BROKEN: Final = "raise ValueError('no pump')"


def breaks(root: Path, name: str, turns: int = 0, end: str = BROKEN) -> None:
    slot(root, name, files={"main.py": TURNS.format(turns=turns, end=end)})


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("turns", [0, 1, 7])
def test_a_pump_that_ends_as_it_starts_gives_way_to_the_other_slot(root: Path, turns: int) -> None:
    breaks(root, "b", turns)
    lines = boot(root)
    assert lines[:4] == ["rest b", WINDOW, "runs b", "rest b"]
    assert lines[-2:] == [f"dosebench: {root}/b ended: ValueError('no pump',)", "RESET"]
    # Not once more, after any kind of reset, and the mark says why.
    for bitten in (True, False):
        lines = boot(root, bitten=bitten)
        assert lines[:2] == ["dosebench: slot b did not run when it was tried", "rest a"]
        assert lines[-2:] == ["runs a", "REPL"]
    assert (root / "trial").read_text() == "b 4 ValueError('no pump',)"


def test_where_both_end_as_they_start_the_repl_comes(root: Path) -> None:
    breaks(root, "a")
    breaks(root, "b")
    assert boot(root)[-1] == "RESET"
    for _ in range(2):
        lines = boot(root)
        assert lines[1:4] == ["rest a", WINDOW, "runs a"]
        assert lines[-2:] == [f"dosebench: {root}/a ended: ValueError('no pump',)", "REPL"]


def test_a_pump_that_ends_later_is_started_again_after_a_reset(root: Path) -> None:
    breaks(root, "b", turns=8)
    for _ in range(2):
        lines = boot(root)
        assert lines[:4] == ["rest b", WINDOW, "runs b", "rest b"]
        assert lines[-1] == "REPL"
    assert not (root / "trial").exists()


def test_the_only_slot_is_started_again_after_a_reset(root: Path) -> None:
    (root / "a" / "manifest.json").unlink()
    breaks(root, "b")
    for _ in range(2):
        lines = boot(root)
        assert lines[2:4] == ["runs b", "rest b"]
        assert lines[-1] == "REPL"


@pytest.mark.requirement("R54")
def test_a_flashed_slot_that_hangs_as_it_starts_gives_way_after_some_starts(root: Path) -> None:
    (root / "trial").write_text("b 0 ")
    breaks(root, "b", end="import os; os.system('kill -9 $PPID')")
    for _ in range(4):
        killed = subprocess.run(command(root, bitten=True), capture_output=True, text=True, timeout=30, check=False)
        assert killed.returncode == -signal.SIGKILL
    lines = boot(root, bitten=True)
    assert lines == ["dosebench: slot b did not run when it was tried", "rest a", "runs a", "REPL"]


def test_one_turn_ends_the_trial_and_nothing_is_written_from_then_on(root: Path) -> None:
    (root / "trial").write_text("b 2 ")
    breaks(root, "b", turns=1, end="pass")
    assert boot(root)[-2:] == ["runs b", "REPL"]
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert root / "trial" not in before
    boot(root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_the_trial_of_a_slot_that_does_not_run_is_left_alone(root: Path) -> None:
    """An update was cut between its last two acts."""
    (root / "trial").write_text("a 0 ")
    breaks(root, "b", turns=3, end="pass")
    assert boot(root)[-2:] == ["runs b", "REPL"]
    assert (root / "trial").read_text() == "a 0 "


def test_a_slot_of_another_bench_is_not_fallen_back_to(root: Path) -> None:
    for name, digest in (("a", "1"), ("b", "2")):
        (root / name / "manifest.json").write_text(json.dumps({"files": {"bench.json": digest}}))
    breaks(root, "b")
    for _ in range(2):
        lines = boot(root)
        assert lines[0] == "rest b"
        assert lines[-1] == "REPL"
        assert "rest a" not in lines
        assert "runs a" not in lines


def test_garbage_of_imports_does_not_pile_up(root: Path) -> None:
    """A heap that is collected only when it is full has no gap for a large buffer between what the imports left."""
    part = "import gc\ngc.collect()\nBEFORE = gc.mem_alloc()\nfor _ in range(200):\n    bytes(4096)\nNAME = 'small'\n"
    part += "if gc.mem_alloc() > BEFORE + 65536:\n    NAME = 'full of garbage'\n"
    slot(root, "b", files={"part.py": part})
    assert boot(root)[2:] == ["runs small", "REPL"]
