"""`dosebench log pull`, `log show` and `log verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from dosebench_protocol.records import RecordError, decode_records, hash_head
from dosebench_protocol.tables import CHAIN_BYTES, RECORD_KINDS

from dosebench.base.words import count_noun
from dosebench.cli import options, output, pump
from dosebench.cli.progress import show_progress
from dosebench.cli.pump import held_journal
from dosebench.journal.download import download_records
from dosebench.journal.history import Calendar, json_fields, record_json
from dosebench.journal.store import Store, find_gaps, verify_held
from dosebench.link.client import program_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dosebench.journal.store import Journal
    from dosebench.link.client import PumpClient

PULL_BATCH = 100
"""Records that are kept at once, so that an interrupted pull loses little."""


faults_option = click.option(
    "--faults", is_flag=True, help="The fault ring: alarms alone, kept longer than the journal."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def log() -> None:
    """Pull, show and verify the pump's journal."""


@log.command()
@options.port_options
@options.json_option
def pull(port: str | None, baud: int, as_json: bool) -> None:
    """Download the records of journal and fault ring that this host does not hold yet, and check their hash chains.

    The journal comes at the speed of the line. An interrupted pull goes on where it stopped.
    """
    with Store.open() as store, pump.connect_pump(port, baud) as client:
        journal, is_new_epoch = _journal_of(store, client, faults=False)
        new = _pull_records(store, client, journal, quiet=as_json)
        new_faults = _pull_records(store, client, _journal_of(store, client, faults=True)[0], quiet=as_json)
        _keep_program(store, client)
        held = store.newest_journal(client.device_id)
    assert held is not None
    values = _journal_json(held) | {"pulled": new, "pulled_faults": new_faults, "replaced": is_new_epoch}
    if as_json:
        output.print_json(values)
        return
    if is_new_epoch:
        click.echo("The pump's journal does not continue the one held here: a new one was begun, the old one is kept.")
    pulled = f"Pulled {count_noun(new, 'record')} of pump {held.device.hex()}"
    kept = f"{held.count} are held, up to number {held.last}" if held.count else "no records are held"
    click.echo(f"{pulled}; {kept}.")


def _journal_of(store: Store, client: PumpClient, *, faults: bool) -> tuple[Journal, bool]:
    """The epoch that this pump's records go to, and whether it replaces an older one."""
    held = store.newest_journal(client.device_id, faults=faults)
    if held is None:
        return store.begin_epoch(client.device_id, faults=faults), False
    if held.last is None or _is_continued(store, client, held):
        return held, False
    return store.begin_epoch(client.device_id, faults=faults), True


def _is_continued(store: Store, client: PumpClient, held: Journal) -> bool:
    """Whether the pump still has the newest record that is held, or has gone beyond it and overwritten it."""
    assert held.last is not None
    info = client.fault_info() if held.epoch < 0 else client.journal_info()
    if info["next"] <= held.last:
        return False
    if info["first"] > held.last:
        return True
    told = client.read_faults(held.last) if held.epoch < 0 else client.read_journal(held.last)
    return next(told) == store.get_record(held, held.last)


def _records_of(
    client: PumpClient, journal: Journal, first: int, before: bytes | None, progress: Callable[[int, int], None]
) -> Iterator[bytes]:
    if journal.epoch < 0:
        return client.read_faults(first, progress)
    return download_records(client, first, before=before, progress=progress)


def _pull_records(store: Store, client: PumpClient, journal: Journal, quiet: bool) -> int:
    first, before = 0, None
    if journal.last is not None:
        first = journal.last + 1
        newest = store.get_record(journal, journal.last)
        before = None if newest is None else newest[-CHAIN_BYTES:]
    new, batch = 0, []
    with show_progress("pulling", "records", quiet) as advance:
        for data in _records_of(client, journal, first, before, advance):
            batch.append(data)
            if len(batch) == PULL_BATCH:
                new += store.add_records(journal, batch)
                batch = []
    return new + store.add_records(journal, batch)


def _keep_program(store: Store, client: PumpClient) -> None:
    """Keep the therapy in force, so that the journal can be judged where another host programmed the pump."""
    data = pump.program_bytes(client)
    if data is not None:
        store.add_program(client.device_id, hash_head(program_hash(data)), data)


@log.command()
@click.option("--device", metavar="ID", help="Pump, by its id or the beginning of it. Default: the only one held.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N records.")
@click.option(
    "--kind", multiple=True, metavar="KIND", help="Only records of this kind, such as bolus; may be repeated."
)
@faults_option
@options.json_option
def show(device: str | None, last: int | None, kind: tuple[str, ...], faults: bool, as_json: bool) -> None:
    """Show pulled records, oldest first, with their meaning."""
    if wrong := [name for name in kind if name not in RECORD_KINDS]:
        raise click.UsageError(f"there is no record kind {wrong[0]}; known are {', '.join(RECORD_KINDS)}")
    with Store.open() as store:
        journal = held_journal(store, device, faults=faults)
        raw = store.raw_records(journal)
        whole = store.newest_journal(journal.device) if faults else journal
        told_raw = store.raw_records(whole) if whole else b""
    shown = [record for record in _dated_records(raw, told_raw, faults=faults) if not kind or record["kind"] in kind]
    shown = shown[-last:] if last else shown
    if as_json:
        output.print_json(_journal_json(journal) | {"gaps": find_gaps(raw), "records": shown})
        return
    for first, end in find_gaps(raw):
        click.echo(f"records {first} to {end} were overwritten before they were pulled", err=True)
    for record in shown:
        click.echo(_format_record(record))


def _dated_records(raw: bytes, told_raw: bytes, *, faults: bool) -> list[dict[str, Any]]:
    """Records as JSON values; those of the fault ring get the local time of the journal's record, if that is held."""
    calendar = Calendar()
    local = {record.sequence: calendar.local_time(record) for record in decode_records(told_raw)}
    if not faults:
        return [record_json(record, local[record.sequence]) for record in decode_records(raw)]
    shown = []
    for record in decode_records(raw):
        told = record_json(record, local.get(record.copied_from))
        told["fields"] = json_fields(record.copied_fields) | {"journal_record": record.copied_from}
        shown.append(told)
    return shown


def _format_record(record: dict[str, Any]) -> str:
    when = f"day {record['day']:>5} {output.time_of_day(record['ms'])}"
    if record["local_time"]:
        when = record["local_time"].replace("T", " ").split(".")[0]
    fields = ", ".join(f"{name} {_format_value(value)}" for name, value in record["fields"].items())
    return f"{record['sequence']:>7}  {when:<19}  {record['kind']:<13}  {fields}"


def _format_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value)) or "none"
    if value is None:
        return "unknown"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


@log.command()
@click.option("--device", metavar="ID", help="Pump, by its id or the beginning of it. Default: the only one held.")
@faults_option
@options.json_option
def verify(device: str | None, faults: bool, as_json: bool) -> int:
    """Check sequence numbers and hash chain of a pulled journal. Exit code 1 when it was changed."""
    with Store.open() as store:
        journal = held_journal(store, device, faults=faults)
        raw = store.raw_records(journal)
    problem = None
    try:
        verify_held(decode_records(raw))
    except RecordError as error:
        problem = str(error)
    if as_json:
        output.print_json(_journal_json(journal) | {"ok": problem is None, "problem": problem, "gaps": find_gaps(raw)})
    else:
        held = f"{count_noun(journal.count, 'record')} of pump {journal.device.hex()}"
        click.echo(f"{held}: {problem or 'the chain is whole'}")
    return 0 if problem is None else 1


def _journal_json(journal: Journal) -> dict[str, Any]:
    return {
        "device_id": journal.device,
        "epoch": abs(journal.epoch),
        "held": journal.count,
        "first": journal.first,
        "last": journal.last,
    }
