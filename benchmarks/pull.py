"""`python -m benchmarks.pull PORT FILE CODING`: connect to a pump and write its journal to a file. A contestant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from dosebench.journal.download import Coding, download_records
from dosebench.link.client import PumpClient
from dosebench.link.ports import open_port


def main(port: str, file: str, coding: str) -> None:
    """Download all that the pump holds."""
    with PumpClient(open_port(port)) as client:
        client.connect()
        Path(file).write_bytes(b"".join(download_records(client, coding=cast("Coding", coding))))


if __name__ == "__main__":
    main(*sys.argv[1:])
