"""One board from its open port to its answer: which port, which prompt, what is planned, and who is let run again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mpremote")

from benches import PERISTALTIC
from directory_board import SELECTOR, DirectoryBoard, flash_board, image_of
from dosebench.bench.file import load_bench
from dosebench.flashing import finding, onto, running
from dosebench.flashing.errors import BoardError, FlashError
from dosebench.flashing.image import FORMATS
from dosebench.flashing.layout import BENCH, CONFIG
from dosebench.flashing.onto import OPEN_TRIES, FlashOrder, Line, open_prompt, pack_files, prepare_flash
from dosebench.flashing.running import BolusRunningError, Running
from dosebench.flashing.shell import About, Shell
from dosebench.link import ports
from dosebench.link.keys import KeyStore, new_keys
from dosebench.link.ports import PortError
from raw_repl import RawRepl

BOARD = load_bench(PERISTALTIC)
ABOUT = About("micropython", (1, 28, 0), 0x1F06, "a Pico", BOARD.board.family, 236_000, 4096, 1 << 20, "0102")


class PicoShell(Shell):
    """A board whose files are a directory and that says of itself what `ABOUT` does."""

    told = ABOUT

    def read_about(self) -> About:
        return self.told


def shell_at(root: Path, **about: Any) -> PicoShell:
    shell = PicoShell(DirectoryBoard(root))
    shell.told = replace(ABOUT, **about)
    return shell


@pytest.fixture(autouse=True)
def _few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three files stand for the firmware: to compile all of it takes seconds and a compiler."""
    compiled = {"main.mpy": b"M\x06\x00\x1f", "pump/a.mpy": b"M\x06\x00\x1fa"}
    source = {"main.py": b"x = 1", "pump/a.py": b"y = 2"}
    monkeypatch.setattr(onto, "build_image", lambda _, form: dict(source if form == "source" else compiled))


# The port


def test_a_simulated_board_is_not_flashed_like_this() -> None:
    with pytest.raises(FlashError, match="sim://bench"):
        Line.find_line("sim://bench", 115_200)


def test_a_line_knows_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "choose_port", lambda given: f"/dev/{given}")
    monkeypatch.setattr(finding, "same_board", lambda _: "1-1.4")
    assert Line.find_line("x", 9_600) == Line("/dev/x", 9_600, "1-1.4")


def test_a_port_that_is_coming_back_is_tried_again(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    opened: list[tuple[str, int]] = []

    def slow(port: str, baud: int) -> str:
        opened.append((port, baud))
        if len(opened) < OPEN_TRIES:
            raise PortError("not yet")
        return "the port"

    monkeypatch.setattr(ports, "open_port", slow)
    monkeypatch.setattr(finding, "choose_port", lambda given: f"where {given} is now")
    assert Line("/dev/x", 9_600, "1-1").open_port() == "the port"
    assert opened == [("where 1-1 is now", 9_600)] * OPEN_TRIES
    opened.clear()
    assert Line("/dev/x", 9_600, "/dev/x").open_port() == "the port"
    assert opened[0][0] == "/dev/x"
    monkeypatch.setattr(ports, "open_port", lambda *_: (_ for _ in ()).throw(PortError("gone")))
    with pytest.raises(PortError, match="gone"):
        Line("/dev/x", 9_600, "/dev/x").open_port()
    assert clock


# The prompt


class Board:
    """A line whose port is a raw REPL over a directory."""

    def __init__(self, root: Path, *, deaf: int = 0, rooms: list[bool] | None = None) -> None:
        self.files = DirectoryBoard(root)
        self.rooms = [True] if rooms is None else rooms
        self.told: list[str] = []
        self.resets = 0
        self.port = RawRepl(self._run, deaf=deaf)
        self.line = Line("/dev/board", 115_200, "/dev/board")
        self.line.open_port = lambda: self.port  # type: ignore[method-assign]

    def _run(self, code: str) -> bytes:
        if "machine.reset()" in code:
            self.resets += 1
            return b""
        if "bytearray(" in code and "mem_free" in code:
            return b"true" if self.rooms.pop(0) else b"false"
        return self.files.run_code(code)

    def at_prompt(self, act: Callable[[Shell], None] = lambda _: None) -> None:
        with open_prompt(self.line, 60, self.told.append) as shell:
            act(shell)


@pytest.mark.usefixtures("clock")
def test_a_board_without_a_pump_is_let_go_at_its_friendly_prompt(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    board.at_prompt()
    assert (board.resets, board.port.is_raw, board.port.is_open, board.told) == (0, False, False, [])


@pytest.mark.usefixtures("clock")
def test_a_board_with_a_pump_is_reset_so_that_it_runs_again(tmp_path: Path) -> None:
    flash_board(tmp_path / "board", image_of("old"))
    board = Board(tmp_path / "board")
    board.at_prompt()
    assert board.resets == 1
    assert not board.port.is_open


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("error", [FlashError("no"), KeyboardInterrupt()])
def test_it_runs_again_whatever_happened(tmp_path: Path, error: BaseException) -> None:
    flash_board(tmp_path / "board", image_of("old"))
    board = Board(tmp_path / "board")

    def fail(_: Shell) -> None:
        raise error

    with pytest.raises(type(error)):
        board.at_prompt(fail)
    assert board.resets == 1
    assert not board.port.is_open


@pytest.mark.usefixtures("clock")
def test_what_went_wrong_first_is_what_counts(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")

    def fail(_: Shell) -> None:
        board.files.run_code = lambda _: (_ for _ in ()).throw(BoardError("second"))  # type: ignore[method-assign]
        raise FlashError("first")

    with pytest.raises(FlashError, match="first"):
        board.at_prompt(fail)


@pytest.mark.usefixtures("clock")
def test_a_heap_that_an_interrupted_start_left_full_is_emptied_by_a_reset(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", rooms=[False])
    board.at_prompt()
    assert board.resets == 1


@pytest.mark.usefixtures("clock")
def test_somebody_is_asked_to_press_reset_and_told_which_pump_runs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ask_running", lambda _: Running(b"\x01\x02\x03\x04", "0.2.0", "running", 0))
    board = Board(tmp_path / "board", deaf=15)
    board.at_prompt()
    assert len(board.told) == 1
    assert "01020304" in board.told[0]
    assert board.line.running is not None


@pytest.mark.usefixtures("clock")
def test_a_bolus_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ask_running", lambda _: Running(b"\x01\x02\x03\x04", "0.2.0", "running", 5))
    board = Board(tmp_path / "board", deaf=15)
    with pytest.raises(BolusRunningError):
        board.at_prompt()
    assert not board.port.is_open
    assert board.told == []


# Plans


def test_a_new_board_gets_everything_with_keys(tmp_path: Path) -> None:
    made = prepare_flash(shell_at(tmp_path / "board"), FlashOrder(BOARD))
    assert made.before is None
    assert made.keys is not None
    assert set(made.plan.write) == {"main.mpy", "pump/a.mpy", CONFIG, BENCH}
    assert json.loads(made.image.files[BENCH]) == BOARD.device_json() == made.bench
    assert json.loads(made.image.files[CONFIG]) == BOARD.device_config()
    assert made.notes == ()
    assert "keys" not in repr(made)


def test_a_board_without_a_pump_needs_a_bench(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match="bench file"):
        prepare_flash(shell_at(tmp_path / "board"), FlashOrder())


def flashed(root: Path, word: str = "old", **more: bytes) -> None:
    """A board that this release flashed for `BOARD`."""
    values = {CONFIG: BOARD.device_config(), BENCH: BOARD.device_json()}
    settings = {name: json.dumps(one, separators=(",", ":")).encode() for name, one in values.items()}
    flash_board(root, image_of(word, **settings | more))


def test_a_board_with_a_pump_is_flashed_only_as_an_update_or_for_new_keys(tmp_path: Path) -> None:
    flashed(tmp_path / "board")
    shell = shell_at(tmp_path / "board")
    with pytest.raises(FlashError, match="already"):
        prepare_flash(shell, FlashOrder(BOARD))
    update = prepare_flash(shell, FlashOrder(BOARD, update=True))
    assert (update.before, update.keys) == ("old", None)
    assert prepare_flash(shell, FlashOrder(BOARD, new_keys=True)).keys is not None


def test_an_update_without_a_bench_keeps_what_the_board_was_told(tmp_path: Path) -> None:
    flashed(tmp_path / "board")
    made = prepare_flash(shell_at(tmp_path / "board"), FlashOrder(update=True))
    assert made.bench == BOARD.device_json()
    assert set(made.plan.copy) >= {BENCH, CONFIG}


@pytest.mark.parametrize("broken", [{BENCH: b"{"}, {CONFIG: b""}])
def test_settings_that_cannot_be_read_need_a_bench(tmp_path: Path, broken: dict[str, bytes]) -> None:
    flashed(tmp_path / "board", **broken)
    with pytest.raises(FlashError, match=next(iter(broken))):
        prepare_flash(shell_at(tmp_path / "board"), FlashOrder(update=True))


def test_settings_in_the_form_of_another_release_need_a_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "bench", 0)
    flashed(tmp_path / "board")
    monkeypatch.setitem(FORMATS, "bench", 1)
    with pytest.raises(FlashError, match="another release"):
        prepare_flash(shell_at(tmp_path / "board"), FlashOrder(update=True))
    assert prepare_flash(shell_at(tmp_path / "board"), FlashOrder(BOARD, update=True))


def test_a_board_that_kept_a_journal_takes_an_empty_flash_for_a_loss(tmp_path: Path) -> None:
    flashed(tmp_path / "board")
    (tmp_path / "board/dosebench/flash").mkdir(exist_ok=True)
    (tmp_path / "board/dosebench/flash/0").write_bytes(b"journal")
    made = prepare_flash(shell_at(tmp_path / "board"), FlashOrder(update=True))
    assert json.loads(made.image.files[CONFIG])["commissioned"] == 1


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"name": "circuitpython"}, "circuitpython"),
        ({"version": (1, 20, 0)}, "1.20"),
        ({"family": "stm32"}, "stm32"),
        ({"heap_bytes": 60_000}, "heap"),
        ({"free_bytes": 40_000}, "free"),
    ],
)
def test_a_board_that_cannot_carry_the_pump_is_refused(tmp_path: Path, about: dict[str, Any], words: str) -> None:
    with pytest.raises(FlashError, match=words):
        prepare_flash(shell_at(tmp_path / "board", **about), FlashOrder(BOARD))
    assert not list((tmp_path / "board").iterdir()), "nothing was written"


def test_a_board_of_another_bytecode_gets_source_text(tmp_path: Path) -> None:
    made = prepare_flash(shell_at(tmp_path / "board", mpy=0x1F05, heap_bytes=1 << 20), FlashOrder(BOARD))
    assert set(made.image.files) >= {"main.py", "pump/a.py"}
    assert any("source" in note for note in made.notes)
    named = prepare_flash(shell_at(tmp_path / "other", heap_bytes=1 << 20), FlashOrder(BOARD, form="named"))
    assert any("line numbers" in note for note in named.notes)


def test_a_slot_that_failed_and_a_main_of_somebody_else_are_told(tmp_path: Path) -> None:
    flashed(tmp_path / "board")
    flashed(tmp_path / "board", "newer")
    (tmp_path / "board/dosebench/trial").write_text("b 4 MemoryError()")
    made = prepare_flash(shell_at(tmp_path / "board"), FlashOrder(BOARD, update=True))
    assert any("MemoryError()" in note and "slot a" in note for note in made.notes)
    other = tmp_path / "other"
    other.mkdir()
    (other / "main.py").write_text("import blink")
    assert any("main.py is kept" in note for note in prepare_flash(shell_at(other), FlashOrder(BOARD)).notes)


def test_another_family_than_the_benchs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match="esp32"):
        prepare_flash(shell_at(tmp_path / "board", family="esp32"), FlashOrder(BOARD))


def test_a_package_holds_the_firmware_for_the_bench() -> None:
    files = pack_files(BOARD, "linked")
    assert json.loads(files["dosebench/a/bench.json"]) == BOARD.device_json()
    assert files["main.py"] == SELECTOR
    assert "dosebench/a/pump/a.mpy" in files


# The answer


def test_the_pump_is_greeted_at_its_own_port_or_at_the_boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare_flash(shell_at(tmp_path / "board"), FlashOrder(BOARD))
    opened: list[tuple[str, int]] = []
    monkeypatch.setattr(ports, "open_port", lambda port, baud: opened.append((port, baud)))

    def hello(reach: Callable[[], Any], within_s: float, *, code: bytes, proves_keys: bool) -> dict[str, Any]:
        reach()
        return {"within": within_s, "code": code, "proves": proves_keys}

    monkeypatch.setattr(running, "hello_after_reset", hello)
    line = Line("/dev/board", 115_200, "/dev/board")
    wanted = {"within": 30, "code": made.image.code, "proves": True}
    assert onto.await_hello(line, made, "/dev/uart", 30) == wanted
    assert opened == [("/dev/uart", int(made.bench["port"].get("baud", ports.BAUD)))]
    usb = replace(made, bench=made.bench | {"port": {"kind": "usb"}})
    uart = replace(made, bench=made.bench | {"port": {"kind": "uart", "baud": 9_600}})
    assert onto.await_hello(line, usb, None, 30) == wanted
    assert opened[-1] == ("/dev/board", 115_200)
    assert onto.await_hello(line, uart, None, 30) is None
    onto.await_hello(line, uart, "/dev/uart", 30)
    assert opened[-1] == ("/dev/uart", 9_600)


def test_keys_are_kept_by_this_host() -> None:
    made = new_keys()
    assert onto.keep_keys(b"\x01\x02\x03\x04", made) in ("file", "keyring")
    held = KeyStore().get_keys(b"\x01\x02\x03\x04")
    assert held is not None
    assert dict(held.roles) == made
