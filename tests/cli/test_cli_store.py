"""The store under several processes."""

from __future__ import annotations

import subprocess
import sys


def test_two_processes_never_get_the_same_counter() -> None:
    code = (
        "from dosebench.journal.store import Store\nwith Store.open() as s:\n"
        " for _ in range(60): print(s.next_id(b'pump', 'bolus', 0)[1])"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    given = [int(line) for process in both for line in process.communicate()[0].split()]
    assert sorted(given) == list(range(1, 121))
