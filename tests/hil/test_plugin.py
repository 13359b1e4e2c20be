"""The pytest plugin: options, features, a broken bring-up, and what a failure shows."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator

import hypothesis
import pytest
from dosebench.link import reasons
from dosebench.link.client import PumpClient

# What the inner runs need is loaded here: pytester forgets, after each of them, the modules that it imported first.
from dosebench.regimen import check
from dosebench.twin import cpython_child, persistent
from dosebench_hil import bench, bringup, contract, therapies

pytest_plugins = ["pytester"]

LOADED = (bench, bringup, check, contract, cpython_child, hypothesis, persistent, reasons, therapies)

STATUS_TESTS = """
    import pytest

    def test_one(dut):
        assert dut.read_status()["delivery"] in ("stopped", "unprogrammed")

    def test_two(dut):
        assert dut.read_status()["bolus_left_steps"] == 0

    def test_three(dut):
        pass

    def test_without_pump():
        pass
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the plugin on CPython, with a client that gives up at once on a silent line."""
    monkeypatch.setattr("dosebench.link.exchange.REPLY_S", 0.02)


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A serial port on which nobody answers."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_the_options_are_in_the_help(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--help")
    for option in ("port", "baud", "speed", "runtime", "profile", "seed"):
        result.stdout.fnmatch_lines([f"*--hil-{option}*"])


def test_the_marker_is_registered(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.hil_feature(name):*"])


def test_a_run_without_pump_imports_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_was_imported():
            heavy = {"dosebench", "dosebench_protocol", "serial", "construct", "dosebench_hil.bench"}
            assert not heavy & set(sys.modules)
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("dosebench:*")


def test_every_test_gets_a_pump_in_the_known_state(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("time", range(3))
        def test_program(dut, program, time):
            assert dut.read_status()["generation"] == 0
            dut.stage_program(program.encode_program())
            assert dut.commit_program(program.encode_program())["accepted"] == 1
            dut.start_delivery()
    """)
    result = pytester.runpytest("--hil-runtime", "cpython", "--hil-seed", "5")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["dosebench: twin (runtime cpython, seed 5)"])


def test_the_options_choose_the_twin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_twin(bench, regimen):
            assert bench.profile.name == "implant-20"
            assert bench.client.hello_reply["runtime"].startswith(b"cpython")
            assert bench.client.device_id == b"\\xdb\\x00\\x00\\x09"
            assert 'profile = "implant-20"' in regimen.read_text()
    """)
    options = ("--hil-runtime", "cpython", "--hil-profile", "implant-20", "--hil-seed", "9", "--hil-baud", "9600")
    pytester.runpytest(*options).assert_outcomes(passed=1)


@pytest.mark.parametrize("profile", ["implant-40", "implant-20", "external-mlh", "external-mlh-fine"])
def test_the_small_therapy_fits_every_profile(pytester: pytest.Pytester, profile: str) -> None:
    pytester.makepyfile("""
        from dosebench.therapy.program import Reading

        def test_program(dut, program):
            assert Reading.from_answer(dut.stage_program(program.encode_program())) == program.expected_reading()
            dut.commit_program(program.encode_program())
            dut.start_delivery()
            assert dut.give_bolus(program.bolus_steps_max)["accepted"] == 24
    """)
    pytester.runpytest("--hil-runtime", "cpython", "--hil-profile", profile).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--hil-port", "sim://", "--hil-runtime", "wasm"), "*--hil-runtime is for the twin*"),
        (("--hil-port", "sim://", "--hil-seed", "1"), "*--hil-seed is for the twin*"),
        (("--hil-speed", "20"), "*--hil-speed is for a pump on --hil-port*"),
        (("--hil-runtime", "qemu"), "*invalid choice*qemu*"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(
    pytester: pytest.Pytester, options: tuple[str, ...], text: str
) -> None:
    result = pytester.runpytest_subprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([text])


FEATURE_TEST = """
    import pytest

    @pytest.mark.hil_feature("{feature}")
    def test_it(bench):
        bench.need_feature("{feature}")

    def test_always():
        pass
"""


@pytest.mark.parametrize("feature", ["virtual_time", "step_counter", "reservoir_level", "power_cycle", "fresh_device"])
def test_a_twin_has_every_feature(pytester: pytest.Pytester, feature: str) -> None:
    pytester.makepyfile(FEATURE_TEST.format(feature=feature))
    pytester.runpytest("--hil-runtime", "cpython").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("feature", "hint"),
    [
        ("virtual_time", "leave out --hil-port (a twin), or give --hil-port sim://NAME"),
        ("power_cycle", "leave out --hil-port, and the test makes a twin"),
    ],
)
def test_a_missing_feature_skips_with_what_would_bring_it(
    pytester: pytest.Pytester, feature: str, hint: str, silent_port: str
) -> None:
    pytester.makepyfile(FEATURE_TEST.format(feature=feature))
    result = pytester.runpytest("-rs", f"--hil-port={silent_port}")
    # The port is not even opened for it.
    result.assert_outcomes(passed=1, skipped=1)
    assert f"no {feature} on {silent_port}: {hint}" in result.stdout.str().replace("\n", " ")


def test_a_feature_that_does_not_exist_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FEATURE_TEST.format(feature="teleport"))
    result = pytester.runpytest()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*there is no hil_feature 'teleport'; there are faults, fresh_device,*"])


def test_a_bench_says_what_it_cannot_do(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_cut(bench):
            bench.power_cycle()
    """)
    result = pytester.runpytest("--hil-port=sim://?runtime=cpython")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FeatureMissingError: this bench has no power_cycle: leave out --hil-port*"])


@pytest.mark.usefixtures("quick")
def test_a_silent_port_fails_once_and_skips_the_rest(pytester: pytest.Pytester, silent_port: str) -> None:
    pytester.makepyfile(STATUS_TESTS)
    result = pytester.runpytest("-rs", f"--hil-port={silent_port}")
    result.assert_outcomes(errors=1, skipped=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            f"no pump to test: no answer to hello from {silent_port} in 3 tries*",
            "what to do: is the pump powered, is this its port, and is the baud rate right?",
            "*> hello*",
            f"SKIPPED * the bench is down since an earlier test: no answer to hello from {silent_port}*",
        ]
    )


def test_a_port_that_is_not_there_fails_once_and_skips_the_rest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(STATUS_TESTS)
    result = pytester.runpytest("--hil-port=/dev/no-such-port")
    result.assert_outcomes(errors=1, skipped=2, passed=1)
    result.stdout.fnmatch_lines(
        ["no pump to test: there is no port /dev/no-such-port", "what to do: USB serial ports*"]
    )


def test_a_wrong_baud_rate_is_explained(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(STATUS_TESTS)
    result = pytester.runpytest("--hil-port=sim://?runtime=cpython&baud=9600")
    result.assert_outcomes(errors=1, skipped=2, passed=1)
    result.stdout.fnmatch_lines(["no pump to test: no answer to hello*", "what to do: *is the baud rate right?*"])


def test_an_unknown_profile_is_explained(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(STATUS_TESTS)
    result = pytester.runpytest("--hil-runtime", "cpython", "--hil-profile", "implant-4")
    result.assert_outcomes(errors=1, skipped=2, passed=1)
    result.stdout.fnmatch_lines(['no pump to test: *no pump profile "implant-4"; did you mean "implant-40"?*'])


def test_a_pump_that_is_lost_on_the_way_fails_once_and_skips_the_rest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_that_loses_the_pump(bench):
            bench.line.twin.power_off()

        def test_that_finds_out(dut):
            pass

        def test_that_skips(dut):
            pass
    """)
    result = pytester.runpytest("--hil-port=sim://?runtime=cpython")
    result.assert_outcomes(passed=1, errors=1, skipped=1)
    result.stdout.fnmatch_lines(["no pump to test: no answer to hello*"])


def test_a_pump_that_stays_in_alarm_is_no_pump_to_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_that_breaks_the_motor(bench, program):
            bench.client.stage_program(program.encode_program())
            bench.client.commit_program(program.encode_program())
            bench.client.start_delivery()
            bench.line.twin.plant.faults.stall = True
            bench.advance_time(30)
            assert bench.client.read_status()["delivery"] == "safe"

        def test_that_finds_it_cleared(dut):
            assert dut.read_status()["alarms"] == ()
    """)
    pytester.runpytest("--hil-port=sim://?runtime=cpython").assert_outcomes(passed=2)


FAILING = """
    def test_fails(dut):
        assert dut.read_status()["delivery"] == "running"
"""


@pytest.mark.parametrize("options", [("--hil-runtime", "cpython"), ("--hil-port=sim://?runtime=cpython",)])
def test_a_failure_shows_the_last_frames(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile(FAILING)
    result = pytester.runpytest(*options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*pump: the last frames*", "* > hello protocol_min=2*", "* > status *", "* < status delivery=unprogrammed *"]
    )


def test_frames_are_shown_for_factories_too_and_noise_as_what_it_is(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_fails(bench_factory):
            bench_factory().put_noise(b"\\x00noise\\x00")
            assert False
    """)
    result = pytester.runpytest("--hil-runtime", "cpython")
    result.stdout.fnmatch_lines(["*pump: the last frames*", "* > no frame: *: 6e6f697365"])


def test_a_failure_without_a_pump_shows_no_frames(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_with_pump(dut):
            pass

        def test_fails():
            assert False
    """)
    pytester.runpytest("--hil-runtime", "cpython").stdout.no_fnmatch_line("*the last frames*")


def test_a_lost_reply_is_in_the_transcript(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_fails(bench):
            bench.line.lose_replies(1)
            bench.client.read_status()
            assert False
    """)
    result = pytester.runpytest("--hil-runtime", "cpython")
    result.stdout.fnmatch_lines(["* lost < status delivery=*", "* > status *", "* < status delivery=*"])


def test_property_tests_take_the_factory(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from hypothesis import given, settings, strategies as st

        seen = set()

        @settings(max_examples=5, deadline=None)
        @given(steps=st.integers(1, 24))
        def test_bolus(dut_factory, steps):
            dut = dut_factory()
            assert dut.read_status()["boot_count"] == 1
            assert id(dut) not in seen
            seen.add(id(dut))
            kept.append(dut)

        kept = []
    """)
    pytester.runpytest("--hil-runtime", "cpython").assert_outcomes(passed=1)


def test_a_pump_on_a_port_is_left_stopped(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []
    stop = PumpClient.stop_delivery

    def counted(client: PumpClient) -> dict[str, object]:
        stopped.append(client.read_status()["delivery"])
        return stop(client)

    monkeypatch.setattr(PumpClient, "stop_delivery", counted)
    pytester.makepyfile("""
        def test_start(dut, program):
            dut.stage_program(program.encode_program())
            dut.commit_program(program.encode_program())
            dut.start_delivery()
    """)
    pytester.runpytest("--hil-port=sim://?runtime=cpython").assert_outcomes(passed=1)
    assert stopped == ["unprogrammed", "running"]
