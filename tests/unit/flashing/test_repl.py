"""The raw REPL: reaching the prompt of a board that runs, code and its answers, and ports that go away."""

from __future__ import annotations

import pytest

pytest.importorskip("mpremote")

from dosebench.flashing.errors import BoardError, LineLostError, NoReplError
from dosebench.flashing.repl import ASK_S, READ_S, Repl
from raw_repl import RawRepl

pytestmark = pytest.mark.usefixtures("clock")


def never() -> None:
    raise AssertionError("nobody needs to press reset")


def caught(port: RawRepl) -> Repl:
    repl = Repl(port)
    repl.catch_prompt(10, never)
    return repl


def test_a_board_at_its_prompt_is_caught_at_once() -> None:
    port = RawRepl()
    repl = caught(port)
    assert repl.in_raw_repl
    assert port.is_raw
    assert port.timeout == READ_S
    assert sum(b"\x03" in data for data in port.sent) == 1


def test_a_pump_that_does_not_listen_is_tried_until_somebody_resets_it() -> None:
    asked: list[int] = []
    port = RawRepl(deaf=20)
    Repl(port).catch_prompt(60, lambda: asked.append(len(port.sent)))
    assert len(asked) == 1, "asked once"
    assert 0 < asked[0] < 20
    assert port.is_raw


def test_patience_ends_with_what_the_board_said() -> None:
    port = RawRepl(deaf=10_000)
    port.said = b"booting\r\nMPY: soft reboot\r\n"
    with pytest.raises(NoReplError, match="MPY: soft reboot") as error:
        Repl(port).catch_prompt(ASK_S + 1, lambda: None)
    assert "3 s" in str(error.value)
    assert "/dev/board" in str(error.value)


def test_bytes_that_are_no_text_are_not_shown() -> None:
    port = RawRepl(deaf=10_000)
    port.said = bytes(range(1, 30)) * 3
    with pytest.raises(NoReplError) as error:
        Repl(port).catch_prompt(1, lambda: None)
    assert "it said" not in str(error.value)


@pytest.mark.parametrize("said", [b"", b"hello\r\n", bytes(range(5, 256))])
def test_code_runs_and_its_output_comes_back(said: bytes) -> None:
    port = RawRepl(lambda _: said)
    assert caught(port).run_code("print('hello')") == said
    assert port.code == ["print('hello')"]


def test_long_code_arrives_whole_and_many_acts_follow_each_other() -> None:
    port = RawRepl(lambda code: str(len(code)).encode())
    repl = caught(port)
    for length in (1, 255, 256, 257, 5_000):
        assert repl.run_code("#" * length) == str(length).encode()


def test_an_error_on_the_board_is_its_last_line() -> None:
    def fail(_: str) -> bytes:
        raise BoardError("OSError: [Errno 28] ENOSPC")

    with pytest.raises(BoardError, match=r"ENOSPC") as error:
        caught(RawRepl(fail)).run_code("x")
    assert "Traceback" not in str(error.value)
    assert not isinstance(error.value, LineLostError)


def test_a_port_that_is_lost_within_an_act() -> None:
    port = RawRepl()
    repl = caught(port)
    port.lost = OSError
    with pytest.raises(LineLostError, match="went away"):
        repl.run_code("x")


def test_a_board_that_does_not_answer_an_act_is_lost() -> None:
    port = RawRepl()
    repl = caught(port)
    port.write = len  # type: ignore[method-assign]
    with pytest.raises(LineLostError):
        repl.run_code("x")


# A USB port vanishes with each reset


def test_a_port_that_vanishes_is_opened_again() -> None:
    gone, back = RawRepl(), RawRepl()
    gone.lost = OSError
    opened: list[RawRepl] = []

    def reopen() -> RawRepl:
        opened.append(back)
        if len(opened) == 1:
            raise OSError("not yet")
        return back

    repl = Repl(gone, reopen)
    repl.catch_prompt(10, never)
    assert repl.serial is back
    assert len(opened) == 2
    assert not gone.is_open


def test_without_a_way_back_it_is_an_error() -> None:
    port = RawRepl()
    port.lost = OSError
    with pytest.raises(BoardError, match="lost"):
        Repl(port).catch_prompt(10, never)


def test_leaving_runs_the_code_and_reads_no_answer() -> None:
    port = RawRepl(lambda _: b"never read")
    caught(port).run_last("import machine\nmachine.reset()")
    assert port.code == ["import machine\nmachine.reset()"]
    assert port.in_waiting > 0


def test_a_port_that_is_gone_after_the_reset_has_sent_it() -> None:
    port = RawRepl()
    repl = caught(port)
    port.flush = lambda: (_ for _ in ()).throw(OSError("gone"))  # type: ignore[method-assign]
    repl.run_last("reset")
    assert port.code == ["reset"]


def test_a_board_that_is_not_at_its_prompt_is_not_left() -> None:
    repl = Repl(RawRepl())
    with pytest.raises(LineLostError, match="does not answer"):
        repl.run_last("reset")


def test_the_friendly_prompt_is_given_back() -> None:
    port = RawRepl()
    repl = caught(port)
    repl.release_board()
    assert not port.is_raw
    port.lost = OSError
    repl.release_board()
