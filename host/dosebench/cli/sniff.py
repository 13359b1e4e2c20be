"""`dosebench sniff`."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import click

from dosebench.base import units
from dosebench.cli import options, output
from dosebench.link import ports
from dosebench.link.capture import Capture, CaptureError, convert_log, listen_port, relay_bytes
from dosebench.link.endpoint import PtyEndpoint


@click.command()
@options.port_options
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE", help="The capture."
)
@click.option("--spy", type=click.Path(dir_okay=False, path_type=Path), metavar="LOG", help="Convert a spy:// log.")
@click.option("--listen", "only_listen", is_flag=True, help="Only listen at PORT, which is a tap on the line.")
@click.option("--link", type=click.Path(path_type=Path), metavar="PATH", help="A name for the pseudo-terminal.")
@click.option("--for", "length", metavar="DURATION", help='End after so long, such as "10 s". Default: with Ctrl-C.')
@options.json_option
def sniff(
    port: str | None,
    baud: int,
    out: Path,
    *,
    spy: Path | None,
    only_listen: bool,
    link: Path | None,
    length: str | None,
    as_json: bool,
) -> None:
    """Write the frames of a serial line into a capture file for Wireshark.

    Opens a pseudo-terminal, which another program uses in place of PORT, and passes everything on. With --listen it
    only listens, and with --spy it converts what pyserial's spy://PORT?file=LOG has logged. The dissector is
    protocol/wireshark/dosebench.lua.
    """
    if spy is not None and (only_listen or link is not None or length is not None):
        raise click.UsageError("--spy reads a log: --listen, --link and --for do not go with it")
    length_s = None if length is None else float(units.parse_value(length, units.DURATION)) / 1000
    try:
        file = out.open("wb")
    except OSError as error:
        raise CaptureError(f"cannot write {out}: {error.strerror}") from error
    with file:
        capture = Capture(file)
        if spy is not None:
            convert_log(spy, capture)
        else:
            _capture_live(port, baud, capture, link=link, length_s=length_s, only_listen=only_listen, as_json=as_json)
    text = f"{out}: {capture.packets} packets; look at it with tshark -X lua_script:dosebench.lua -r {out}"
    output.print_answer(as_json, {"file": str(out), "packets": capture.packets}, text)


def _capture_live(
    port: str | None,
    baud: int,
    capture: Capture,
    *,
    link: Path | None,
    length_s: float | None,
    only_listen: bool,
    as_json: bool,
) -> None:
    until = None if length_s is None else time.monotonic() + length_s

    def is_going() -> bool:
        return until is None or time.monotonic() < until

    output.make_interruptible()
    opened = ports.open_port(ports.choose_port(port), baud)
    with contextlib.closing(opened), contextlib.suppress(KeyboardInterrupt):
        if only_listen:
            listen_port(opened, capture, is_going)
            return
        with contextlib.closing(PtyEndpoint(link)) as endpoint:
            use = f"use {endpoint.name} as the port; Ctrl-C ends it"
            click.echo(json.dumps({"port": endpoint.name}) if as_json else use, err=as_json)
            relay_bytes(opened, endpoint, capture, is_going)
