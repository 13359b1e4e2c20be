"""One board, from its open port to its answer: what the commands `flash` and `unflash` do, without their words."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from dosebench.flashing import checks, finding, package, running
from dosebench.flashing.errors import BoardError, FlashError, LineLostError
from dosebench.flashing.flasher import FlashPlan, count_room, make_plan
from dosebench.flashing.image import FORMATS, Image, manifest_of
from dosebench.flashing.layout import BENCH, CONFIG, slot_dir
from dosebench.flashing.repl import Repl
from dosebench.flashing.running import Running
from dosebench.flashing.shell import About, Held, Shell
from dosebench.image.build import Form, build_image
from dosebench.image.source import firmware_dir
from dosebench.link import ports
from dosebench.link.keys import KeyStore
from dosebench.link.ports import PortError
from dosebench.profile.device_config import mark_commissioned

if TYPE_CHECKING:
    from dosebench.bench.file import Bench

SELECTOR: Final = "selector.py"
SIM: Final = "sim:"
OPEN_TRIES: Final = 3
OPEN_PAUSE_S: Final = 0.2

Tell = Callable[[str], None]


@dataclass
class Line:
    """The port of a board, and how it is opened.

    Attributes:
        port: As `serial_for_url` takes it.
        baud: Bits per second.
        home: A name that leads to the board again after its port vanished.
        running: What the pump said that ran there, if it could be asked.
    """

    port: str
    baud: int
    home: str
    running: Running | None = None

    @classmethod
    def find_line(cls, given: str | None, baud: int) -> Line:
        """The line to the board that is meant. Raises PortError; FlashError for a simulated one."""
        if given is not None and given.startswith(SIM):
            raise FlashError(
                f"{given} is a simulated board, and runs the firmware of this release as it is",
                hint="`dosebench sim NAME --flash BENCH` gives it the settings of a bench file; a board that is "
                "plugged in needs --port where DOSEBENCH_PORT names a simulated one",
            )
        port = finding.choose_port(given)
        return cls(port, baud, finding.same_board(port))

    def open_port(self) -> Any:
        """Open the port, where it is now. Raises PortError."""
        for _ in range(OPEN_TRIES - 1):
            try:
                return self._open_once()
            except PortError:
                # It may be coming back, or the program before this one may not have let go of it yet.
                time.sleep(OPEN_PAUSE_S)
        return self._open_once()

    def _open_once(self) -> Any:
        return ports.open_port(finding.choose_port(self.home) if self.home != self.port else self.port, self.baud)


@contextmanager
def open_prompt(line: Line, patience_s: float, tell: Tell) -> Iterator[Shell]:
    """A board at its prompt. Afterwards a board with a pump is reset, so that it runs again, and another one let go.

    Raises FlashError, BoardError, PortError; BolusRunningError when a pump runs there and delivers a bolus.
    """
    repl = Repl(line.open_port(), line.open_port)

    def ask_reset() -> None:
        if line.running is None:
            line.running = running.ask_running(repl.serial)
        running.check_no_bolus(line.running)
        what = f"pump {line.running.device.hex()} runs there" if line.running else "no prompt yet"
        tell(
            f"{what}: press reset on the board now, or pull its plug and put it back (waiting up to {patience_s:.0f} s)"
        )

    try:
        repl.catch_prompt(patience_s, ask_reset)
        shell = Shell(repl)
        if not shell.has_room_to_work():
            # Interrupted in the middle of its start. A reset gives an empty heap, and the selector's window.
            shell.reset_board()
            repl.catch_prompt(patience_s, ask_reset)
            shell = Shell(repl)
        try:
            yield shell
        except LineLostError:
            raise
        except BaseException:
            with contextlib.suppress(BoardError):
                # What went wrong first is what counts.
                _let_go(repl, shell)
            raise
        _let_go(repl, shell)
    finally:
        repl.serial.close()


def _let_go(repl: Repl, shell: Shell) -> None:
    """Whatever happened: a pump that was there, or is there now, runs again."""
    if shell.holds_pump():
        shell.reset_board()
    else:
        repl.release_board()


@dataclass(frozen=True)
class FlashOrder:
    """What is asked for.

    Attributes:
        bench: How the board is wired; None keeps what it was told before.
        update: A pump may be on the board, and is kept.
        new_keys: Replace its keys.
        form: Of the files: the smallest, or one that is easier to read.
    """

    bench: Bench | None = None
    update: bool = False
    new_keys: bool = False
    form: Form = "linked"


@dataclass(frozen=True)
class Prepared:
    """What would be done to a board, before anything is.

    Attributes:
        about: The board.
        image: The slot as it should be.
        plan: What brings it there.
        keys: By role, where they are to be written.
        before: Version of the firmware that the board runs now; None where it has none.
        bench: What the board is told of its wiring.
        notes: What is worth saying.
    """

    about: About
    image: Image
    plan: FlashPlan
    keys: dict[str, bytes] | None = field(repr=False)
    before: str | None
    bench: dict[str, Any]
    notes: tuple[str, ...]


def prepare_flash(shell: Shell, order: FlashOrder) -> Prepared:
    """Look at the board, refuse what cannot be, and plan the rest. Writes nothing. Raises FlashError."""
    about = shell.read_about()
    checks.check_interpreter(about)
    held = shell.read_held()
    if not order.update and not order.new_keys:
        checks.check_not_there(held)
    checks.check_formats(held)
    settings = _collect_settings(shell, held, order.bench)
    bench = json.loads(settings[BENCH])
    checks.check_family(about, bench["family"])
    checks.check_motor(about, bench["motor"]["kind"])
    image, notes = _build_image(about, settings, bench["family"], order.form)
    keys = _make_keys(held, new=order.new_keys)
    selector = (firmware_dir() / SELECTOR).read_bytes()
    plan = make_plan(held, image, selector, keys)
    sectors = int(json.loads(settings[CONFIG])["flash_sectors"])
    on_files = bench["storage"]["kind"] == "files"
    checks.check_room(about, held, *count_room(plan, held), sectors if on_files else 0)
    if held.failed and held.runs != held.failed:
        why = held.why_failed or "no turn of its loop in several starts"
        there = f"slot {held.failed} did not run when it was tried ({why})"
        notes.append(f"{there}; the board ran slot {held.runs} instead")
    if plan.saves_main:
        notes.append("the board's own main.py is kept, and `dosebench unflash` puts it back")
    return Prepared(about, image, plan, keys, _held_version(held), bench, tuple(notes))


def pack_files(bench: Bench, form: Form) -> dict[str, bytes]:
    """The files of a package for mip: path -> content. Raises BuildError."""
    wiring = bench.device_json()
    settings = {CONFIG: _to_json(dict(bench.device_config())), BENCH: _to_json(wiring)}
    image = Image(build_image(wiring["family"], form) | settings, wiring["family"], version("dosebench"))
    return package.files_of(image, (firmware_dir() / SELECTOR).read_bytes())


def _held_version(held: Held) -> str | None:
    manifest = manifest_of(held.manifests[held.runs]) if held.runs else None
    return str(manifest["version"]) if manifest else None


def _collect_settings(shell: Shell, held: Held, bench: Bench | None) -> dict[str, bytes]:
    """config.json and bench.json, from the bench file or from the board."""
    if bench is not None:
        config, wiring = dict(bench.device_config()), bench.device_json()
    elif held.runs is None:
        raise FlashError(
            "a board without a pump needs a bench file", hint="--bench FILE.toml; `dosebench bench list` has examples"
        )
    else:
        config, wiring = _read_kept(shell, held, CONFIG), _read_kept(shell, held, BENCH)
        _check_kept(held)
    if held.stored_bytes:
        # It kept a journal before: from now on an empty flash is a loss.
        config = mark_commissioned(config)
    return {CONFIG: _to_json(config), BENCH: _to_json(wiring)}


def _read_kept(shell: Shell, held: Held, name: str) -> dict[str, Any]:
    assert held.runs is not None
    try:
        kept = json.loads(shell.read_file(f"{slot_dir(held.runs)}/{name}") or b"")
    except ValueError:
        raise FlashError(f"{name} on the board cannot be read", hint="give its bench file: --bench FILE.toml") from None
    settings: dict[str, Any] = kept
    return settings


def _check_kept(held: Held) -> None:
    """Settings that an older release wrote may lack what this one needs."""
    manifest = manifest_of(held.manifests[held.runs]) if held.runs else None
    formats = manifest["formats"] if manifest else {}
    if any(formats.get(name) != FORMATS[name] for name in ("config", "bench")):
        raise FlashError(
            "the board's settings are in the form of another release", hint="give its bench file: --bench FILE.toml"
        )


def _to_json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _build_image(about: About, settings: dict[str, bytes], family: str, form: Form) -> tuple[Image, list[str]]:
    release = version("dosebench")
    image = Image(build_image(family, form) | settings, family, release)
    if form != "source" and checks.accepts_bytecode(about, image):
        checks.check_heap(about, form)
        return image, ["with the names and line numbers of the source"] if form == "named" else []
    checks.check_heap(about, "source")
    image = Image(build_image(family, "source") | settings, family, release)
    return image, ["source text, which the board compiles at each start"]


def _make_keys(held: Held, *, new: bool) -> dict[str, bytes] | None:
    """Fresh keys for a board that has none, or is to have others; None keeps its own. Those of a first flashing that
    did not end are made anew: this host may not have them."""
    from dosebench.link.keys import new_keys  # noqa: PLC0415

    return new_keys() if new or not held.has_keys or held.runs is None else None


def keep_keys(device: bytes, keys: dict[str, bytes]) -> str:
    """Keep this host's copy; return where. Raises KeyStoreError."""
    return KeyStore().put_keys(device, keys)


def await_hello(line: Line, prepared: Prepared, protocol_port: str | None, within_s: float) -> dict[str, Any] | None:
    """What the pump says after the reset; None where its protocol port is another one than the board's, and not given.

    Raises NoHelloError, OtherFirmwareError, NotPairedError, NotGenuineError.
    """
    code = prepared.image.code
    if protocol_port is not None:
        baud = int(prepared.bench["port"].get("baud", ports.BAUD))
        return running.hello_after_reset(
            lambda: ports.open_port(protocol_port, baud), within_s, code=code, proves_keys=True
        )
    if prepared.bench["port"]["kind"] == "usb":
        return running.hello_after_reset(line.open_port, within_s, code=code, proves_keys=True)
    return None
