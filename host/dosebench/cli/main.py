"""The command line, `dosebench COMMAND`. Each command is imported when it is called, so that the others start fast.

Exit codes: 0 good, 1 the answer is no (a check failed, a pump refused, a port is missing), 2 wrong usage, 3 the pump's
journal went back (nothing was sent), 130 Ctrl-C.
Errors go to standard error as `error: ...` and `hint: ...`; with `--json` to standard output as `{"error": {...}}`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from dosebench.base.errors import DosebenchError

USAGE: Final = 2
INTERRUPTED: Final = 130
TRACE_VARIABLE: Final = "DOSEBENCH_TRACE"
"""Environment variable: when set, an error of the serial link prints the last frames too."""

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "check": ("check:check", "Check a regimen file and show what it would deliver."),
    "plan": ("plan:plan", "Show what a regimen would deliver in the coming days, and draw it."),
    "diff": ("diff:diff", "Show two therapies side by side: regimen files, or what a pump has."),
    "longevity": ("longevity:longevity", "Show how long a battery lasts against the flow rate, and draw it."),
    "simulate": ("simulate:simulate", "Run a regimen on a simulated pump and compare every step with the schedule."),
    "demo": ("demo:demo", "Run the main job on published regimens: program, deliver, download, compare."),
    "program": ("program:program", "Program a pump with a regimen file, after you have confirmed its own reading."),
    "status": ("status:status", "Show what the pump does now."),
    "start": ("deliver:start", "Start delivery."),
    "stop": ("deliver:stop", "Stop delivery, and a running bolus with it."),
    "bolus": ("boluses:bolus", "Deliver a bolus on top of the basal (clinician, patient or square), or cancel it."),
    "prime": ("boluses:prime", "Prime the pump's path in two deliberate acts, while it is stopped."),
    "patency": ("sensors:patency", "Check that the catheter of a stopped pump is open, with a small test volume."),
    "sensors": ("sensors:sensors", "Show what the pump's sensors read, and whether they can be believed."),
    "why": ("why:why", "Say in one sentence why the pump is not delivering what was asked."),
    "refill": ("supplies:refill", "Tell the pump what its reservoir holds now."),
    "alarms": ("alarms:alarms", "Show the alarms that are on, with cause and remedy."),
    "silence": ("alarms:silence", "Silence the tones for a while."),
    "clear": ("alarms:clear", "Clear alarms whose cause is gone."),
    "selftest": ("alarms:selftest", "Show what the pump tested about itself."),
    "implant": ("supplies:implant", "Show until when the pump may serve, or state the date of its implant."),
    "clock": ("deliver:clock", "Show or set the pump's calendar."),
    "watch": ("watch:watch", "Show live values, sample by sample."),
    "log": ("log:log", "Pull, show and verify the pump's journal."),
    "plot": ("plot:plot", "Draw delivered against expected volume from the pulled journal."),
    "pair": ("pair:pair", "Set the keys of a pump, change them, or list those that this host has."),
    "bench": ("benches:bench", "Check bench files: which pins drive and sense the pump, and what a step of it is."),
    "calibrate": ("calibrate:calibrate", "Measure the volume of a step, and write it into the bench file."),
    "flash": ("flash:flash", "Put the firmware onto a board, or update it."),
    "unflash": ("flash:unflash", "Give a board back: remove the firmware and what it kept."),
    "bundle": ("bundle:bundle", "Pack what a bug report needs into one file, without keys."),
    "sim": ("sim:sim", "Run a simulated pump on a PTY or TCP port, or move the time of a named one."),
    "sniff": ("sniff:sniff", "Write the frames of a serial line into a capture file for Wireshark."),
    "doctor": ("doctor:doctor", "Show what is installed here, and what is missing."),
}
"""Command -> (module and function under `dosebench.cli`, its line in the list of commands)."""

EPILOG: Final = "A bench testbed. Never for use on people."


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used; their one-line helps stand in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module  # noqa: PLC0415

        module, function = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f"dosebench.cli.{module}"), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and with the nearest name for a command that does not exist."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]}{guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"dosebench {version('dosebench')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EPILOG,
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Program, run, log and test a bench model of a drug pump of the intrathecal class.

    Every command takes --json for scripts. Exit codes: 0 good, 1 the answer is no, 2 wrong usage, 3 a
    pump's journal went back.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        code = cli.main(given, prog_name="dosebench", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        _show_failure(as_json, "Interrupted", "interrupted", None)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _report_error(error, as_json)
    return code if isinstance(code, int) else 0


def _report_error(error: Exception, as_json: bool) -> int:
    """Say what went wrong; return the exit code. Raises it again when it is a mistake of the program."""
    from dosebench_protocol.errors import ProtocolError  # noqa: PLC0415

    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "dosebench"
        _show_failure(as_json, "UsageError", error.format_message().rstrip("."), f"see `{path} --help`")
        return USAGE
    if isinstance(error, click.ClickException):
        _show_failure(as_json, type(error).__name__, error.format_message(), None)
        return error.exit_code
    if isinstance(error, DosebenchError):
        _show_failure(as_json, type(error).__name__, str(error), error.hint, **_error_details(error))
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        _show_failure(as_json, "FileError", f"{error.filename}: {error.strerror}", "choose another place for it")
        return 1
    if isinstance(error, ProtocolError):
        _show_failure(as_json, type(error).__name__, str(error), None)
        return 1
    raise error


def _error_details(error: DosebenchError) -> dict[str, Any]:
    """What an error carries beyond its text: the pump's reason, and the last frames of the link."""
    names = ("reason", "detail", "transcript")
    return {name: getattr(error, name) for name in names if getattr(error, name, None) not in (None, ())}


def _show_failure(as_json: bool, kind: str, message: str, hint: str | None, **details: Any) -> None:
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps({"error": {"type": kind, "message": message, "hint": hint} | details}, indent=2))
        return
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    if os.environ.get(TRACE_VARIABLE):
        for line in details.get("transcript", ()):
            click.echo(f"  {line}", err=True)
