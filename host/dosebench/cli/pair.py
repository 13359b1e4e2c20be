"""`dosebench pair`: keys of pumps. They get onto a board with physical access only."""

from __future__ import annotations

import click

from dosebench.base.errors import DosebenchError
from dosebench.cli import options as options_
from dosebench.cli import output, pump
from dosebench.journal.store import Store
from dosebench.link import ports
from dosebench.link.keys import KeyStore, new_keys
from dosebench.twin.persistent import NamedTwin, SimOptions


class PairError(DosebenchError):
    """Keys cannot be set here, or there are none to forget."""


@click.command()
@options_.port_options
@click.option("--rotate", is_flag=True, help="Set new keys in place of those that this host has.")
@click.option("--forget", metavar="ID", help="Forget this host's keys of a pump, by its id, and end.")
@click.option("--list", "list_them", is_flag=True, help="List the pumps that this host has keys of, and end.")
@click.option(
    "--accept-journal",
    is_flag=True,
    help="Go on from the pump's journal as it is, after this host found that it went back, and end.",
)
@options_.json_option
def pair(
    port: str | None,
    baud: int,
    *,
    rotate: bool,
    forget: str | None,
    list_them: bool,
    accept_journal: bool,
    as_json: bool,
) -> None:
    """Set a pump's keys and keep this host's copy of them.

    Without keys a pump answers questions and obeys stop, and refuses everything else. Keys are set with the board at
    hand: on a simulated one (sim://NAME) by this command, on a real one when it is flashed, and `dosebench flash
    --new-keys` replaces them. A new simulated board has keys already.
    """
    tasks = {"--rotate": rotate, "--forget": forget, "--list": list_them, "--accept-journal": accept_journal}
    if len(chosen := [option for option, given in tasks.items() if given]) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} exclude each other")
    store = KeyStore()
    if list_them:
        _list_pairings(store, as_json)
    elif forget is not None:
        _forget_pairing(store, forget, as_json)
    elif accept_journal:
        _accept_journal(store, port, baud, as_json)
    else:
        _pair_pump(store, port, rotate, as_json)


def _list_pairings(store: KeyStore, as_json: bool) -> None:
    pairings = store.list_pairings()
    pumps = [
        {"device_id": one.device, "where": one.where, "paired_at": one.paired_at, "roles": list(one.roles)}
        for one in pairings
    ]
    lines = [f"{one.device.hex()}  {one.where:<7}  since {one.paired_at}" for one in pairings]
    output.print_answer(as_json, {"pumps": pumps}, "\n".join(lines) or "this host has no keys")


def _forget_pairing(store: KeyStore, given: str, as_json: bool) -> None:
    device = _parse_device(given)
    if not store.forget_keys(device):
        raise PairError(f"this host has no keys of pump {device.hex()}", hint="see `dosebench pair --list`")
    output.print_answer(as_json, {"forgotten": device}, f"This host has no keys of pump {device.hex()} any more.")


def _parse_device(given: str) -> bytes:
    try:
        device = bytes.fromhex(given)
    except ValueError:
        device = b""
    if len(device) != 4:
        raise click.UsageError(f"{given} is no id of a pump: write its eight hexadecimal digits")
    return device


def _accept_journal(keys_here: KeyStore, port: str | None, baud: int, as_json: bool) -> None:
    with Store.open() as store, pump.connect_pump(port, baud) as client:
        device = client.device_id
        keys = keys_here.get_keys(device)
        if keys is None:
            raise PairError(f"this host has no keys of pump {device.hex()}", hint="`dosebench pair` sets them")
        info = client.journal_info()
        store.keep_head(device + keys.pairing, (info["next"], info["chain"]))
    output.print_answer(
        as_json,
        {"device_id": device, "journal_next": info["next"]},
        f"The journal of pump {device.hex()} is taken as it is, up to record {info['next'] - 1}.",
    )


def _pair_pump(store: KeyStore, port: str | None, rotate: bool, as_json: bool) -> None:
    chosen = ports.choose_port(port)
    options = SimOptions.parse_url(chosen) if chosen.startswith("sim:") else None
    if options is None:
        raise PairError(
            "keys are set with the board at hand, when it is flashed: nothing on the serial line can set them",
            hint="`dosebench flash --new-keys` sets new ones on a real board; a simulated one is at hand as sim://NAME",
        )
    if not options.name:
        raise PairError("sim:// without a name ends with its port, and has keys", hint="use sim://NAME")
    board = NamedTwin(options)
    twin = board.open_twin()
    try:
        device = twin.machine.device_id
        held = store.get_keys(device)
        fits = held is not None and dict(held.roles) == dict(twin.machine.keys)
        if not fits or rotate:
            _set_keys(store, board, device)
    finally:
        board.release_twin()
    state = "unchanged" if fits and not rotate else "rotated" if held is not None else "paired"
    text = {
        "unchanged": f"Pump {device.hex()} and this host have the same keys already; --rotate sets new ones.",
        "rotated": f"Pump {device.hex()} has new keys; the old ones open nothing any more.",
        "paired": f"Pump {device.hex()} has keys, and this host has them too.",
    }
    output.print_answer(as_json, {"device_id": device, "state": state}, text[state])


def _set_keys(store: KeyStore, board: NamedTwin, device: bytes) -> None:
    keys = new_keys()
    board.set_keys(keys)
    store.put_keys(device, keys, secret=False)
