"""Commands that are carried out at most once.

Every retry of a command carries the same id, so that nothing is carried out twice. While it is not known what became of
a command, no further one is given: the pump's outcomes and its journal tell.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dosebench_protocol import codec
from dosebench_protocol.records import decode_records

from dosebench.base.errors import DosebenchError
from dosebench.link.command_ids import OpenCommand
from dosebench.link.exchange import LinkError, RefusedError, SilentError
from dosebench.link.ports import PortError
from dosebench.link.queries import Queries
from dosebench.link.reasons import explain_reason
from dosebench.link.sessions import NotPairedError, SessionRefusedError


class CommandOutcome(NamedTuple):
    """What became of a command whose outcome was not known.

    Attributes:
        command: Name of its message.
        counter: Its number.
        carried_out: Whether the pump carried it out; None where nobody can know any more.
        reason: `done`, why the pump refused it, `outcome_unknown` where it never came to the pump, or `record_gone`.
        record: Number of the journal record that holds it; None where there is none.
        outcome: The pump's `Outcome`; None where it has none, or the journal alone knows the command.
    """

    command: str
    counter: int
    carried_out: bool | None
    reason: str
    record: int | None = None
    outcome: dict[str, Any] | None = None

    def describe_outcome(self) -> str:
        """One sentence about it."""
        if self.carried_out is None:
            return f"whether the {self.command} before this one was carried out is not in the pump's journal any more"
        if self.carried_out:
            return f"the {self.command} before this one was carried out (journal record {self.record})"
        if self.record is None:
            return f"the {self.command} before this one was never carried out"
        return f"the {self.command} before this one was refused: {explain_reason(self.reason)}"


class UnknownOutcomeError(LinkError):
    """A command was sent and never answered, and the pump could not be asked what became of it."""


class EarlierCommandError(DosebenchError):
    """A command was not sent, because what became of an earlier one had to be found out first; the text says it.

    Attributes:
        outcomes: What became of each, oldest first.
    """

    def __init__(self, message: str, outcomes: tuple[CommandOutcome, ...]) -> None:
        super().__init__(message, hint="look at `dosebench status`; give the new command again if it is still wanted")
        self.outcomes = outcomes


class AtMostOnce(Queries):
    """A pump that takes commands, each of them at most once."""

    def resolve_commands(self) -> tuple[CommandOutcome, ...]:
        """Find out what became of commands whose outcome is not known, this host's earlier processes included.

        Raises UnknownOutcomeError when the pump cannot be asked.
        """
        self.open_session("operator")
        return tuple(self._resolve_command(one) for one in self._ids.open_commands(self._pump))

    def _run_command(self, name: str, **fields: Any) -> dict[str, Any]:
        """Send one command; every retry carries the same id.

        Raises RefusedError, UnknownOutcomeError, EarlierCommandError, or whatever keeps a session from being opened.
        """
        self.open_session(codec.by_name(name).role)
        if known := self.resolve_commands():
            raise EarlierCommandError(
                f"{'; '.join(one.describe_outcome() for one in known)}. The new {name} was not sent", known
            )
        return self._send_command(name, **fields)

    def _send_command(self, name: str, **fields: Any) -> dict[str, Any]:
        host, counter = self._ids.next_id(self._pump, name, self._newest)
        try:
            outcome = self._ask_in_session(name, codec.by_name(name).role, host=host, counter=counter, **fields)
        except PortError as error:
            raise self._unknown_outcome(name, error) from error
        except (LinkError, SessionRefusedError, NotPairedError) as error:
            outcome = self._resolve_failure(OpenCommand(host, counter, name), error)
        except RefusedError:
            # It came with a tag: the pump has decided.
            self._ids.close_command(self._pump, counter)
            raise
        self._ids.close_command(self._pump, counter)
        if outcome["reason"] != "done":
            raise RefusedError(str(outcome["reason"]), 0, name)
        return outcome

    def _resolve_failure(self, command: OpenCommand, error: DosebenchError) -> dict[str, Any]:
        # Never dose again: ask what became of it.
        try:
            known = self._resolve_command(command)
        except (LinkError, RefusedError, NotPairedError, PortError):
            raise self._unknown_outcome(command.name, error) from error
        if known.carried_out is None:
            raise self._unknown_outcome(command.name, error) from error
        if known.record is None:
            raise SilentError(
                f"{error}; the pump answers now and says that it never carried out this {command.name}",
                hint="send it again if it is still wanted",
            ) from error
        if not known.carried_out:
            raise RefusedError(known.reason, 0, command.name)
        if known.outcome is None:
            raise EarlierCommandError(known.describe_outcome(), (known,))
        return known.outcome

    def _unknown_outcome(self, name: str, error: DosebenchError) -> LinkError:
        return self._link_error(
            UnknownOutcomeError,
            f"no answer to {name} ({error}): it is not known whether the pump carried it out",
            "do not repeat it; the next command asks first, and `dosebench status` and `dosebench log show` tell",
        )

    def _resolve_command(self, command: OpenCommand) -> CommandOutcome:
        """Ask what became of one command. The session's numbers only grow, so a frame of it that is still on its way
        comes too late from here on."""
        try:
            outcome = self._ask_in_session("outcome", "operator", host=command.host, counter=command.counter)
            reason, record = str(outcome["reason"]), int(outcome["record"])
            known = CommandOutcome(command.name, command.counter, reason == "done", reason, record, outcome)
        except RefusedError as refused:
            if refused.reason == "outcome_unknown":
                known = CommandOutcome(command.name, command.counter, False, refused.reason)
            elif refused.reason == "counter_old":
                known = self._in_journal(command)
            else:
                raise
        self._ids.close_command(self._pump, command.counter)
        return known

    def _in_journal(self, command: OpenCommand) -> CommandOutcome:
        """Look for a command in the pump's journal: a newer one of this host took its place in the pump's memory."""
        records = decode_records(b"".join(self.read_journal()))
        for record in records:
            fields = record.fields
            if fields.get("host") == command.host and fields.get("counter") == command.counter:
                reason = str(fields.get("reason", "done"))
                return CommandOutcome(command.name, command.counter, reason == "done", reason, record.sequence)
        if records and records[0].sequence:
            return CommandOutcome(command.name, command.counter, None, "record_gone")
        return CommandOutcome(command.name, command.counter, False, "outcome_unknown")
