"""The pytest plugin: options `--hil-*`, the marker `hil_feature`, the fixtures `dut`, `bench`, `regimen`, `program`.

pytest loads this file in every run of an environment that has dosebench, so it imports nothing of dosebench until a
test asks for a pump. See docs/HIL.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dosebench.link.client import PumpClient
    from dosebench.therapy.program import Program

    from dosebench_hil.bench import Bench
    from dosebench_hil.bringup import BringUp

RUNTIMES = ("unix", "wasm", "cpython")
_BRING_UP: pytest.StashKey[BringUp] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the bench."""
    group = parser.getgroup("hil", "dosebench: hardware in the loop")
    group.addoption(
        "--hil-port",
        metavar="URL",
        help="pump to test: a device, a USB serial number, socket://HOST:PORT "
        "or sim://NAME (default: a new twin for every test)",
    )
    group.addoption("--hil-baud", metavar="RATE", type=int, default=115_200, help="baud rate (default: %(default)s)")
    group.addoption(
        "--hil-speed",
        metavar="N",
        type=float,
        default=1.0,
        help="the pump on --hil-port runs N times real time, as `dosebench sim --speed N` (default: 1)",
    )
    group.addoption("--hil-runtime", choices=RUNTIMES, help="interpreter of the twin (default: the best installed)")
    group.addoption("--hil-profile", metavar="NAME", help="pump profile (default: implant-40; on a port: ask the pump)")
    group.addoption("--hil-seed", metavar="N", type=int, help="seed of the twin's noise (default: 0)")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse options that contradict each other."""
    config.addinivalue_line(
        "markers", "hil_feature(name): the test needs this feature of the bench and skips where it is missing"
    )
    port = config.getoption("--hil-port")
    if port is None:
        if config.getoption("--hil-speed") != 1.0:
            raise pytest.UsageError("--hil-speed is for a pump on --hil-port; a twin's time is virtual")
        return
    for option in ("--hil-runtime", "--hil-seed"):
        if config.getoption(option) is not None:
            raise pytest.UsageError(f"{option} is for the twin that a test makes; leave it out with --hil-port")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which pump is tested, where an option chose it."""
    port = config.getoption("--hil-port")
    if port is not None:
        return f"dosebench: pump on {port}"
    chosen = [
        f"{name} {config.getoption(f'--hil-{name}')}"
        for name in ("runtime", "profile", "seed")
        if config.getoption(f"--hil-{name}") is not None
    ]
    return f"dosebench: twin ({', '.join(chosen)})" if chosen else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that asks for a feature that this bench lacks."""
    for marker in item.iter_markers("hil_feature"):
        from dosebench_hil.features import reason_to_skip  # noqa: PLC0415

        try:
            reason = reason_to_skip(str(marker.args[0]), item.config.getoption("--hil-port"))
        except (ValueError, IndexError) as error:
            pytest.fail(f"hil_feature: {error}", pytrace=False)
        if reason is not None:
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the last frames into the report of a test that failed with a pump in its hands."""
    report = yield
    bring_up = item.config.stash.get(_BRING_UP, None)
    uses_pump = "bring_up" in getattr(item, "fixturenames", ())
    if report.failed and uses_pump and bring_up is not None:
        lines = bring_up.read_transcript()
        if lines:
            report.sections.append(("pump: the last frames", "\n".join(lines)))
    return report


@pytest.fixture(scope="session", name="bring_up")
def _bring_up(pytestconfig: pytest.Config) -> Iterator[BringUp]:
    """The one pump of this session, or the reason why there is none."""
    from dosebench_hil.bringup import BringUp, Options  # noqa: PLC0415

    option = pytestconfig.getoption
    bring_up = BringUp(
        Options(
            port=option("--hil-port"),
            baud=option("--hil-baud"),
            speed=option("--hil-speed"),
            runtime=option("--hil-runtime"),
            profile=option("--hil-profile"),
            seed=option("--hil-seed") or 0,
        )
    )
    pytestconfig.stash[_BRING_UP] = bring_up
    yield bring_up
    bring_up.close()


@pytest.fixture(scope="session")
def bench_factory(bring_up: BringUp) -> Callable[[], Bench]:
    """Call it for a bench whose pump is in the known state: a new twin, or the port's pump after a reset.

    For property tests, whose examples share their fixtures. Only the newest bench is usable.
    """
    return bring_up.ready_bench


@pytest.fixture(scope="session")
def dut_factory(bench_factory: Callable[[], Bench]) -> Callable[[], PumpClient]:
    """As `bench_factory`, for tests that need the client only."""
    return lambda: bench_factory().client


@pytest.fixture
def bench(bench_factory: Callable[[], Bench]) -> Bench:
    """A pump in the known state and what can be asked of its surroundings (`dosebench_hil.bench.Bench`)."""
    return bench_factory()


@pytest.fixture
def dut(bench: Bench) -> PumpClient:
    """The device under test: a connected client, the pump stopped, nothing staged, no alarms, reservoir full."""
    return bench.client


@pytest.fixture
def regimen(bench: Bench, tmp_path: Path) -> Path:
    """A regimen file with a small test therapy for this pump: a step every few seconds, boluses up to 24 steps."""
    from dosebench_hil.therapies import write_regimen  # noqa: PLC0415

    return write_regimen(bench.profile, tmp_path / "bench.toml")


@pytest.fixture
def program(regimen: Path) -> Program:
    """The program of `regimen`. Nothing is in force yet: `dut.stage_program` and `dut.commit_program` put it there."""
    from dosebench_hil.therapies import build_program  # noqa: PLC0415

    return build_program(regimen)
