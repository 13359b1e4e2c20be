"""`dosebench flash` and `dosebench unflash`: the firmware onto a board, and off it again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dosebench.base.errors import DosebenchError
from dosebench.base.words import count_noun
from dosebench.cli import options, output

if TYPE_CHECKING:
    from dosebench.bench.file import Bench
    from dosebench.flashing.onto import FlashOrder, Line, Prepared
    from dosebench.flashing.removal import Removal
    from dosebench.image.build import Form

PATIENCE_S: Final = 60.0
"""Time to find the reset button (chosen)."""
HELLO_S: Final = 40.0
"""From a reset to the pump's answer: the selector's window, the watchdog's proof, the self-tests, and a USB port that
comes back (chosen)."""

port_options = options.port_options_with(
    "Device, pyserial URL (socket://HOST:PORT), USB serial number or USB location; `dosebench flash --list` shows "
    "them. Default: the only board that is plugged in."
)
wait_option = click.option(
    "--wait",
    "patience_s",
    type=click.FloatRange(min=1),
    default=PATIENCE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the prompt, and for somebody to press reset.",
)


class NotUnflashedError(DosebenchError):
    """Nothing was removed."""


def _show_progress(quiet: bool, text: str) -> None:
    click.echo(text, err=quiet)


@click.command()
@port_options
@click.option(
    "--bench",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Bench file: what is wired to the board. Needed the first time, and kept on the board.",
)
@click.option("--update", is_flag=True, help="Send what changed; keep therapy, journal and keys.")
@click.option("--new-keys", is_flag=True, help="Set new keys in place of those that the board has.")
@click.option("--protocol-port", metavar="PORT", help="Where the pump answers, if that is not the board's own port.")
@click.option(
    "--named", "form", flag_value="named", help="Send larger files, with the names and line numbers of the source."
)
@click.option("--source", "form", flag_value="source", help="Send source text instead of compiled files.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and write nothing.")
@click.option(
    "--package",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write what a board without a pump would get as a package for mip, and end.",
)
@click.option("--list", "list_them", is_flag=True, help="List the boards that are plugged in, and end.")
@wait_option
@options.json_option
def flash(
    port: str | None,
    baud: int,
    *,
    bench: Path | None,
    update: bool,
    new_keys: bool,
    protocol_port: str | None,
    form: Form | None,
    dry_run: bool,
    package: Path | None,
    list_them: bool,
    patience_s: float,
    as_json: bool,
) -> None:
    """Put the firmware onto a board that has MicroPython, and give it its bench and keys.

    A power cut or a pulled cable at any moment leaves a board that boots what it ran before, or the new firmware; run
    the command again and it goes on. Works over a USB or UART prompt, a pseudo-terminal and TCP. Nothing that the
    board keeps is removed: its therapy, journal and keys stay.
    """
    if list_them:
        _list_boards(as_json)
        return
    from dosebench.bench.file import load_bench  # noqa: PLC0415
    from dosebench.flashing.onto import FlashOrder, Line  # noqa: PLC0415

    # Before anybody is asked to press a button: a mistake in the file needs no board.
    wired = None if bench is None else load_bench(bench)
    if package is not None:
        _write_package(wired, form or "linked", package, as_json)
        return
    line = Line.find_line(port, baud)
    order = FlashOrder(wired, update, new_keys, form or "linked")
    _ask_first(line, protocol_port, baud, as_json)
    result = _flash_board(line, order, patience_s=patience_s, dry_run=dry_run, as_json=as_json)
    prepared: Prepared = result.pop("prepared")
    if not dry_run and prepared.plan.changes:
        from dosebench.flashing.onto import await_hello  # noqa: PLC0415

        result["hello"] = await_hello(line, prepared, protocol_port, HELLO_S)
    if as_json:
        output.print_json(result)
    else:
        _show_result(result, prepared)


def _write_package(bench: Bench | None, form: Form, directory: Path, as_json: bool) -> None:
    from dosebench.flashing import package  # noqa: PLC0415
    from dosebench.flashing.errors import FlashError  # noqa: PLC0415
    from dosebench.flashing.onto import pack_files  # noqa: PLC0415

    if bench is None:
        raise FlashError("a package needs a bench file", hint="--bench FILE.toml; `dosebench bench list` has examples")
    files = pack_files(bench, form)
    package.write_package(files, directory)
    index = directory / package.INDEX
    told = {"package": str(index), "files": sorted(files), "bytes": sum(map(len, files.values()))}
    text = (
        f"{index}: {len(files) - 1} files, {told['bytes']} bytes.\n"
        f"`mpremote mip install --target / {index}`, then `dosebench flash --new-keys` for its keys."
    )
    output.print_answer(as_json, told, text)


def _list_boards(as_json: bool) -> None:
    from dosebench.flashing import finding  # noqa: PLC0415

    lines = [str(board) for board in finding.find_boards()]
    output.print_answer(as_json, {"boards": finding.as_json()}, "\n".join(lines) or "no board is plugged in")


def _ask_first(line: Line, protocol_port: str | None, baud: int, quiet: bool) -> None:
    """A pump that can be reached is asked whether a bolus runs, before anybody is told to press reset."""
    if protocol_port is None:
        return
    from dosebench.flashing import running  # noqa: PLC0415
    from dosebench.link.ports import PortError  # noqa: PLC0415

    try:
        line.running = running.ask_at(protocol_port, baud)
    except PortError as error:
        _show_progress(quiet, f"{error}: what runs there could not be asked")
    running.check_no_bolus(line.running)


def _flash_board(line: Line, order: FlashOrder, *, patience_s: float, dry_run: bool, as_json: bool) -> dict[str, Any]:
    from dosebench.cli.progress import show_progress  # noqa: PLC0415
    from dosebench.flashing.flasher import Flasher  # noqa: PLC0415
    from dosebench.flashing.onto import keep_keys, open_prompt, prepare_flash  # noqa: PLC0415

    with open_prompt(line, patience_s, lambda text: _show_progress(as_json, text)) as shell:
        prepared = prepare_flash(shell, order)
        device = shell.device_id()
        kept: list[str] = []

        def file_keys() -> None:
            if prepared.keys is not None:
                kept.append(keep_keys(device, prepared.keys))

        if not dry_run:
            with show_progress("sending", "bytes", as_json) as advance:
                Flasher(shell, advance, file_keys).carry_out(prepared.plan, prepared.image)
        return _result_values(line, prepared, device, kept[0] if kept else None, dry_run) | {"prepared": prepared}


def _result_values(line: Line, prepared: Prepared, device: bytes, where: str | None, dry_run: bool) -> dict[str, Any]:
    plan, about = prepared.plan, prepared.about
    return {
        "port": line.port,
        "dry_run": dry_run,
        "board": {"family": about.family, "machine": about.machine, "micropython": about.version_text},
        "device_id": device,
        "was_running": line.running is not None,
        "before": prepared.before,
        "version": prepared.image.version,
        "changed": plan.changes,
        "slot": plan.slot,
        "sent": sorted(plan.write),
        "sent_bytes": sum(map(len, plan.write.values())),
        "copied": list(plan.copy),
        "removed": list(plan.remove),
        "unchanged": plan.keep,
        "compiled": prepared.image.mpy_version > 0,
        "keys": "kept" if prepared.keys is None else "written",
        "keys_where": where,
        "notes": list(prepared.notes),
        "hello": None,
    }


def _show_result(result: dict[str, Any], prepared: Prepared) -> None:
    board = result["board"]
    lines = [
        ("board", f"{board['machine']}, MicroPython {board['micropython']}, at {result['port']}"),
        ("pump", f"{result['device_id'].hex()}, firmware {result['before'] or 'none'} before"),
        ("firmware", _firmware_line(result)),
        ("keys", "as they were" if prepared.keys is None else _keys_line(result)),
        *(("note", note) for note in result["notes"]),
    ]
    output.print_rows(lines)
    click.echo(_describe_ending(result, prepared))


def _firmware_line(result: dict[str, Any]) -> str:
    if not result["sent"] and not result["copied"]:
        files = count_noun(result["unchanged"], "file")
        return f"{result['version']}, {files}, as they should be, in slot {result['slot']}"
    form = "compiled" if result["compiled"] else "source"
    return (
        f"{result['version']} ({form}) into slot {result['slot']}: {count_noun(len(result['sent']), 'file')} sent "
        f"({result['sent_bytes']} bytes), {len(result['copied'])} copied on the board, "
        f"{result['unchanged']} there already"
    )


def _keys_line(result: dict[str, Any]) -> str:
    return "new ones" + (f"; this host has them too ({result['keys_where']})" if result["keys_where"] else "")


def _describe_ending(result: dict[str, Any], prepared: Prepared) -> str:
    from dosebench.flashing.running import firmware_of  # noqa: PLC0415

    if result["dry_run"]:
        return "Nothing was written."
    if not result["changed"]:
        return "The board is as it should be; it was reset and runs."
    if result["hello"] is None:
        return (
            "The board was reset. Its pump answers on another port than this one: "
            f"`dosebench status --port ...` on UART {prepared.bench['port'].get('id', '')}, pins "
            f"{prepared.bench['port'].get('tx', '')} (tx) and {prepared.bench['port'].get('rx', '')} (rx)."
        )
    hello = result["hello"]
    return f"Pump {hello['device_id'].hex()} answers: firmware {firmware_of(hello)}, and it takes this host's keys."


@click.command()
@port_options
@click.option("--keep-journal", is_flag=True, help="Leave therapy and journal on the board.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@wait_option
@options.json_option
def unflash(port: str | None, baud: int, *, keep_journal: bool, yes: bool, patience_s: float, as_json: bool) -> None:
    """Give a board back: remove the firmware with its settings, keys, therapy and journal.

    A main.py that was there before comes back. Pull the journal first if it is to be kept (`dosebench log pull`).
    """
    if not yes and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("a person must confirm the removal, and this is no terminal: give --yes")
    from dosebench.flashing import removal  # noqa: PLC0415
    from dosebench.flashing.onto import Line, open_prompt  # noqa: PLC0415

    line = Line.find_line(port, baud)
    device = None
    with open_prompt(line, patience_s, lambda text: _show_progress(as_json, text)) as shell:
        planned = removal.make_removal(shell.read_held(), keep_journal=keep_journal)
        if not planned.is_empty:
            if not yes:
                _confirm_removal(planned)
            device = shell.device_id()
            removal.carry_out(shell, planned)
    values = {
        "port": line.port,
        "device_id": device,
        "removed": sorted(planned.files) + (["/main.py"] if planned.main and not planned.restores else []),
        "restored": ["/main.py"] if planned.restores else [],
        "kept": sorted(planned.kept),
    }
    output.print_answer(as_json, values, _describe_removed(planned, device))


def _confirm_removal(planned: Removal) -> None:
    from dosebench.flashing.layout import STORAGE  # noqa: PLC0415

    stored = [path for path in planned.files if path.startswith(f"{STORAGE}/")]
    click.echo(f"{len(planned.files)} files with {sum(planned.files.values())} bytes are to be removed from the board.")
    if stored:
        click.echo("Among them are its journal and therapy: --keep-journal leaves those.")
    if not click.confirm("Remove them?", default=False):
        raise NotUnflashedError("nothing was removed")


def _describe_removed(planned: Removal, device: bytes | None) -> str:
    if device is None:
        return "Nothing of dosebench is on this board."
    kept = (
        f" Its journal and therapy are still there ({count_noun(len(planned.kept), 'file')})." if planned.kept else ""
    )
    restored = " Its own main.py is back." if planned.restores else ""
    removed = f"The files of pump {device.hex()} were removed ({len(planned.files)}).{restored}{kept}"
    return f"{removed} `dosebench pair --forget {device.hex()}` drops its keys here."
