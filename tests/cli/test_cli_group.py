"""The group: help without imports, unknown commands, usage errors, and what a start may import."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from commandline import Run
from dosebench.cli import main

HEAVY = ("matplotlib", "numpy", "pint", "pydantic", "rich", "sqlite3")


def test_help_lists_every_command(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    assert all(f"\n  {name}" in ran.out for name in main.COMMANDS)
    assert "Never for use on people" in ran.out


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_can_be_imported_and_helps(name: str, run: Run) -> None:
    ran = run(name, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: dosebench {name}")


def _leaves(command: click.Command) -> list[click.Command]:
    if isinstance(command, click.Group):
        return [leaf for child in command.commands.values() for leaf in _leaves(child)]
    return [command]


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_json(name: str) -> None:
    context = click.Context(main.cli)
    command = main.cli.get_command(context, name)
    assert command is not None
    for leaf in _leaves(command):
        assert any("--json" in option.opts for option in leaf.params), leaf.name


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("dosebench 0.")


def test_an_unknown_command_names_the_nearest(run: Run) -> None:
    ran = run("statsu")
    assert ran.code == 2
    assert ran.err == "error: there is no command statsu; did you mean status?\nhint: see `dosebench --help`\n"


def test_wrong_usage_is_code_2_and_says_where_the_help_is(run: Run) -> None:
    ran = run("simulate")
    assert ran.code == 2
    assert "Missing argument 'FILE'" in ran.err
    assert "hint: see `dosebench simulate --help`" in ran.err


def test_errors_are_json_where_json_was_asked_for(run: Run) -> None:
    ran = run("simulate", "--json")
    assert ran.code == 2
    assert ran.json["error"]["type"] == "UsageError"
    assert set(ran.json["error"]) == {"type", "message", "hint"}
    assert ran.err == ""


def test_an_interrupt_is_code_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.cli, "main", interrupt)
    ran = run("status")
    assert (ran.code, ran.err) == (130, "error: interrupted\n")


def _imported(*arguments: str) -> set[str]:
    code = (
        f"import sys; from dosebench.cli.main import main; main({list(arguments)!r}); "
        f"print('IMPORTED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split("IMPORTED")[1].split())


def test_help_and_status_import_nothing_heavy(programmed: str) -> None:
    assert _imported("--help") == set()
    assert _imported("status", "--help") == set()
    assert _imported("status", "--port", programmed) == set()


def test_check_plan_and_review_do_not_import_construct() -> None:
    """A host reads its limits and programs from the generated tables; construct would cost it 40 ms."""
    code = (
        "import sys, dosebench.cli.check, dosebench.regimen.check\n"
        "import dosebench.therapy.forecast, dosebench.regimen.review\n"
        "print({'construct', 'dosebench_protocol.schema.messages'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
