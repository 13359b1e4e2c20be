"""`dosebench sim`: a simulated board for other programs, and the time of named ones."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import click

from dosebench.base import units
from dosebench.base.words import count_noun
from dosebench.bench.file import load_bench
from dosebench.cli import options as options_
from dosebench.cli import output
from dosebench.cli.progress import show_progress
from dosebench.link.endpoint import PtyEndpoint, TcpEndpoint
from dosebench.link.keys import KeyStore
from dosebench.link.ports import BAUD
from dosebench.twin import persistent
from dosebench.twin.faults import KINDS, format_faults, parse_fault
from dosebench.twin.live import Live
from dosebench.twin.persistent import NamedTwin, SimError, SimOptions, list_names, open_url
from dosebench.twin.twin import one_core

if TYPE_CHECKING:
    from dosebench.bench.file import Bench
    from dosebench.link.endpoint import Endpoint
    from dosebench.twin.faults import Kind
    from dosebench.twin.twin import Twin

DAY_US: Final = 86_400_000_000
SLICE_US: Final = DAY_US // 8
"""Virtual time between two moves of the progress bar, and so the longest wait for Ctrl-C."""


@click.command()
@click.argument("name", required=False)
@click.option("--pty", "use_pty", is_flag=True, help="Offer it on a pseudo-terminal (the default).")
@click.option(
    "--tcp", type=click.IntRange(0, 65_535), metavar="PORT", help="Offer it on a TCP port; 0 takes a free one."
)
@click.option("--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address for --tcp.")
@click.option(
    "--link", type=click.Path(path_type=Path), help="Symbolic link to the pseudo-terminal, with a name that stays."
)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Times real time."
)
@click.option("--runtime", type=click.Choice(["unix", "wasm", "cpython"]), help="Interpreter of the firmware.")
@click.option("--profile", help="Pump profile, such as implant-40.")
@click.option("--seed", type=click.IntRange(min=0), help="Decides the noise.")
@click.option("--baud", type=click.IntRange(min=1), help=f"Baud rate of the board's UART. Default: {BAUD}.")
@click.option("--advance", metavar="DURATION", help='Let virtual time pass, such as "2 h" or "30 days", and end.')
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME[=VALUE]", help="Break something; none mends it all. Repeatable."
)
@click.option("--fill", metavar="VOLUME", help='Fill the true reservoir to so much, such as "40 mL".')
@click.option(
    "--flash",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="BENCH",
    help="Flash the settings of a bench file onto the named board, which boots with them, and end.",
)
@click.option("--faults", "list_faults", is_flag=True, help="List what can be broken and end.")
@click.option("--list", "list_them", is_flag=True, help="List the named boards and end.")
@click.option("--stop", metavar="NAME", help="Cut the power of a named board and end; its next use boots it.")
@click.option("--remove", metavar="NAME", help="Forget a named board and end.")
@options_.json_option
def sim(
    name: str | None,
    *,
    use_pty: bool,
    tcp: int | None,
    bind: str,
    link: Path | None,
    speed: float,
    runtime: str | None,
    profile: str | None,
    seed: int | None,
    baud: int | None,
    advance: str | None,
    faults: tuple[str, ...],
    fill: str | None,
    flash: Path | None,
    list_faults: bool,
    list_them: bool,
    stop: str | None,
    remove: str | None,
    as_json: bool,
) -> None:
    """Run a simulated pump at real time, or faster, until Ctrl-C.

    Without NAME the board is new and ends with the command. With NAME its flash, reservoir and time are kept; other
    commands reach it directly as sim://NAME, where time stands still between them: --advance lets it pass. --fault and
    --fill act at once, before time passes.
    """
    serve = use_pty or tcp is not None or link
    _one_task(
        advance=advance, flash=flash, faults=list_faults, list=list_them, stop=stop, remove=remove, serve=serve
    )
    if list_faults:
        _list_faults(as_json)
        return
    acts = _parse_acts(faults, fill)
    if list_them or stop is not None or remove is not None:
        _manage_board(stop, remove, as_json)
        return
    options = {"runtime": runtime, "profile": profile, "seed": seed, "baud": baud}
    if flash is not None:
        _flash_board(name, options, flash, as_json)
        return
    url = _sim_url(name, **options)
    if advance is not None and name is None:
        raise click.UsageError("--advance needs the name of a board")
    if name is not None and (advance is not None or (acts and not serve)):
        _advance_board(url, name, acts, advance, as_json)
        return
    if tcp is not None and (use_pty or link):
        raise click.UsageError("--tcp and --pty (--link) exclude each other")
    _serve_board(url, tcp, bind, link, speed, acts=acts, as_json=as_json)


@dataclass(frozen=True)
class _Acts:
    """What is done to a board before its time goes on: faults as `Faults.set_fault` takes them, and a content in nL."""

    faults: tuple[tuple[str, str | None], ...]
    fill_nl: float | None

    def __bool__(self) -> bool:
        return bool(self.faults) or self.fill_nl is not None

    def carry_out(self, twin: Twin) -> None:
        for name, value in self.faults:
            twin.set_fault(name, value)
        if self.fill_nl is not None:
            twin.plant.refill_reservoir(self.fill_nl, twin.machine.now_us)


def _parse_acts(faults: tuple[str, ...], fill: str | None) -> _Acts:
    # Read before a board is touched: a mistake must leave it as it was.
    fill_nl = None if fill is None else float(units.parse_value(fill, units.VOLUME))
    return _Acts(tuple(parse_fault(text) for text in faults), fill_nl)


def _list_faults(as_json: bool) -> None:
    rows = []
    for name, kind in KINDS.items():
        switch = isinstance(kind.off, bool)
        takes = None if switch else {"low": kind.low, "high": kind.high, "usual": kind.usual, "unit": kind.unit}
        rows.append({"fault": name, "meaning": kind.meaning, "takes": takes})
    width = max(map(len, KINDS))
    lines = [f"{name:{width}}  {kind.meaning}{_describe_values(kind)}" for name, kind in KINDS.items()]
    lines.append(f"{'none':{width}}  Ends them all.")
    output.print_answer(as_json, {"known_faults": rows}, "\n".join(lines))


def _describe_values(kind: Kind) -> str:
    if isinstance(kind.off, bool):
        return ""
    unit = f" {kind.unit}" if kind.unit else ""
    return f" ({kind.low:g} to {kind.high:g}{unit}; {kind.usual:g} when none is given)"


def _one_task(**tasks: Any) -> None:
    chosen = [f"--{name}" for name, value in tasks.items() if value]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen).replace('--serve', '--pty or --tcp')} exclude each other")


def _sim_url(name: str | None, **options: Any) -> str:
    query = urlencode({key: value for key, value in options.items() if value is not None})
    return f"sim://{name or ''}" + (f"?{query}" if query else "")


def _manage_board(stop: str | None, remove: str | None, as_json: bool) -> None:
    if stop is not None:
        ran = persistent.stop_twin(stop)
        text = f"sim://{stop} has no power" + ("" if ran else " (it had none)")
        output.print_answer(as_json, {"stopped": stop, "ran": ran}, text)
    elif remove is not None:
        persistent.remove_twin(remove)
        output.print_answer(as_json, {"removed": remove}, f"sim://{remove} is forgotten")
    else:
        names = persistent.list_names()
        text = "\n".join(f"sim://{name}" for name in names) or "no named simulations"
        output.print_answer(as_json, {"simulations": names}, text)


def _flash_board(name: str | None, options: dict[str, Any], file: Path, as_json: bool) -> None:
    if name is None:
        raise click.UsageError("--flash needs the name of a board")
    bench = load_bench(file)
    if name not in list_names():
        # A new board is the pump of its bench, and none is made for a bench that does not fit.
        options = options | {"profile": options["profile"] or bench.nominal.name}
        _check_pump(name, options["profile"], bench)
    board = NamedTwin(SimOptions.parse_url(_sim_url(name, **options)))
    board.open_twin()
    try:
        _check_pump(name, board.options.profile, bench)
        board.flash_config(bench.device_config())
    finally:
        board.release_twin()
    step_ul = float(bench.step_nl / 1000)
    text = f"sim://{name} has the settings of {file}: a step is {output.shown_number(step_ul)} uL."
    output.print_answer(as_json, {"name": name, "flashed": str(file), "step_ul": step_ul}, text)


def _check_pump(name: str, profile: str, bench: Bench) -> None:
    if profile != bench.nominal.name:
        raise SimError(f"sim://{name} is a pump {profile}, the bench has {bench.nominal.name}")


def _advance_board(url: str, name: str, acts: _Acts, duration: str | None, as_json: bool) -> None:
    length_us = round(units.parse_value(duration, units.DURATION) * 1000) if duration else 0
    with one_core():
        twin, release = open_url(url)
        began, before = twin.machine.now_us, twin.plant.read_encoder()
        try:
            acts.carry_out(twin)
            _pass_time(twin, began + length_us, quiet=as_json)
        finally:
            release()
    steps = twin.plant.read_encoder() - before
    values = {
        "name": name,
        "advanced_s": (twin.machine.now_us - began) / 1e6,
        "now_s": twin.now_s,
        "steps": steps,
        "reservoir_ml": twin.plant.reservoir_nl() / 1e6,
        "faults": twin.plant.faults.list_present(),
    }
    text = f"sim://{name}: "
    if duration:
        text += f"{duration} have passed, {count_noun(steps, 'step')}; it is day {twin.now_s / 86_400:.3f}; "
    text += (
        f"{format_faults(twin.plant.faults.list_present())}; {twin.plant.reservoir_nl() / 1e6:.4g} mL in the "
        f"reservoir"
    )
    output.print_answer(as_json, values, text)


def _pass_time(twin: Twin, until_us: int, quiet: bool) -> None:
    began = twin.machine.now_us
    with show_progress("advancing", "days", quiet) as moved:
        while twin.machine.now_us < until_us:
            twin.advance_us(min(twin.machine.now_us + SLICE_US, until_us))
            moved((twin.machine.now_us - began) / DAY_US, (until_us - began) / DAY_US)


def _serve_board(
    url: str, tcp: int | None, bind: str, link: Path | None, speed: float, *, acts: _Acts, as_json: bool
) -> None:
    endpoint: Endpoint = PtyEndpoint(link) if tcp is None else TcpEndpoint(bind, tcp)
    with closing(endpoint), one_core():
        output.make_interruptible()
        twin, release = open_url(url)
        try:
            if not SimOptions.parse_url(url).name:
                # Of a named board they were kept when it was made.
                KeyStore().put_keys(twin.machine.device_id, twin.machine.keys, secret=False)
            acts.carry_out(twin)
            _announce_board(url, twin, endpoint, speed, as_json)
            Live(twin, endpoint, speed).run_until()
        except KeyboardInterrupt:
            if not as_json:
                click.echo(f"\nended on day {twin.now_s / 86_400:.3f}")
        finally:
            release()


def _announce_board(url: str, twin: Twin, endpoint: Endpoint, speed: float, as_json: bool) -> None:
    if as_json:
        values = {"port": endpoint.name, "url": url, "runtime": twin.runtime_name, "speed": speed}
        click.echo(json.dumps(values))
        return
    click.echo(f"{endpoint.name}  {url} on {twin.runtime_name} at {speed:g} x real time; Ctrl-C ends it")
