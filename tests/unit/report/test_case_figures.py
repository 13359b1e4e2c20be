"""Figures of a case history: axes that fit its length, gaps where nothing is known, bars of alarms, and close-ups."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from dosebench.report import case_figures
from dosebench.report.case_figures import BAR_SHARE, PEAK_KPA, close_up_svg, draw_overview, overview_svg
from dosebench.report.case_history import CaseHistory, Chapter, Line, write_history
from dosebench.simulation.scenario_result import AlarmSpan, ScenarioResult
from matplotlib import pyplot
from matplotlib.figure import Figure
from scenario_runs import DAY_MS, HOUR_MS, sample, scenario_run


def told(run: ScenarioResult) -> CaseHistory:
    return write_history(run, "Baclofen", "c5.toml")


def overview(run: ScenarioResult) -> Figure:
    return case_figures._build_overview(told(run))


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    pyplot.close("all")


@pytest.mark.parametrize(
    ("days", "starts_at_ms", "label", "ends"),
    [
        (1, 0, "minutes", (0.0, 1440.0)),
        (1, HOUR_MS, "minutes", (60.0, 1500.0)),
        (10, HOUR_MS, "days", (0.0, 10.0)),
        (1_000, 0, "years", (0.0, 1_000 / 365.25)),
    ],
)
def test_the_axis_of_time_fits_the_length(
    days: float, starts_at_ms: int, label: str, ends: tuple[float, float]
) -> None:
    axes = overview(scenario_run(days, starts_at_ms=starts_at_ms)).axes[4]
    assert axes.get_xlabel().startswith(label)
    assert axes.get_xlim() == pytest.approx(ends)


def test_five_panels_over_one_axis() -> None:
    figure = overview(scenario_run())
    titles = [axes.get_title(loc="left") for axes in figure.axes[:5]]
    assert [title.split(":")[0].split(",")[0] for title in titles] == [
        "Reservoir",
        "Reservoir",
        "Battery",
        "Pressure at the catheter's inlet",
        "No alarm was on",
    ]


def labels(figure: Figure, panel: int) -> list[str]:
    return [str(line.get_label()) for line in figure.axes[panel].lines]


def test_a_pump_without_a_level_sensor_has_no_such_curve() -> None:
    fitted = overview(scenario_run())
    blind = overview(scenario_run(samples=[sample(day * DAY_MS, measured_nl=None) for day in range(11)]))
    assert len(labels(fitted, 0)) == 3
    assert len(labels(blind, 0)) == 2
    assert len(labels(fitted, 1)) == 2
    assert len(labels(blind, 1)) == 1


def test_what_the_pump_does_not_know_is_a_gap() -> None:
    samples = [sample(day * DAY_MS, **({"reckoned_nl": None} if day == 5 else {})) for day in range(11)]
    figure = overview(scenario_run(samples=samples))
    reckoned = [float(value) for value in figure.axes[0].lines[2].get_ydata()]  # type: ignore[union-attr]
    assert math.isnan(reckoned[5])
    assert not math.isnan(reckoned[4])
    apart = [float(value) for value in figure.axes[1].lines[1].get_ydata()]  # type: ignore[union-attr]
    assert math.isnan(apart[5])
    assert apart[4] == 0


def test_every_alarm_has_a_bar_in_the_row_of_its_name() -> None:
    alarms = [
        AlarmSpan("leak", DAY_MS, 2 * DAY_MS, "ended"),
        AlarmSpan("over_infusion", 3 * DAY_MS, 3 * DAY_MS + 1, "ended"),
        AlarmSpan("leak", 9 * DAY_MS, None, "on"),
    ]
    axes = overview(scenario_run(alarms=alarms)).axes[4]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["leak", "over infusion"]
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axes.patches]  # type: ignore[attr-defined]
    assert bars == [(1.0, 1.0, 0), (3.0, pytest.approx(10 / BAR_SHARE), 1), (9.0, pytest.approx(1.0), 0)]


def test_the_svg_is_the_same_each_time_and_its_text_is_text() -> None:
    history = told(scenario_run())
    one = overview_svg(history)
    assert one == overview_svg(history)
    assert one.startswith("<svg")
    assert "Reservoir" in one
    assert not pyplot.get_fignums()


def chapter(from_ms: int, to_ms: int, *, quiet: bool = False) -> Chapter:
    return Chapter("x", from_ms, to_ms, [Line(from_ms, "x", "bench")], quiet)


def risen(kpa: float) -> ScenarioResult:
    samples = [sample(hour * HOUR_MS, pressure_kpa=kpa if hour == 30 else 1.0) for hour in range(241)]
    return scenario_run(samples=samples, alarms=[AlarmSpan("occlusion", 31 * HOUR_MS, None, "on")])


def test_a_chapter_whose_pressure_rose_has_a_figure_of_its_own() -> None:
    history = told(risen(PEAK_KPA))
    text = close_up_svg(history, chapter(28 * HOUR_MS, 34 * HOUR_MS))
    assert text is not None
    assert "pressure [kPa]" in text
    assert "left the catheter's tip" in text


@pytest.mark.parametrize(
    ("kpa", "span", "quiet"),
    [
        (PEAK_KPA - 0.1, (28, 34), False),
        (PEAK_KPA, (28, 34), True),
        (PEAK_KPA, (50, 60), False),
    ],
)
def test_other_chapters_have_none(kpa: float, span: tuple[int, int], quiet: bool) -> None:
    one = chapter(span[0] * HOUR_MS, span[1] * HOUR_MS, quiet=quiet)
    assert close_up_svg(told(risen(kpa)), one) is None


def test_a_few_samples_tell_nothing() -> None:
    samples = [sample(day * DAY_MS, pressure_kpa=50.0) for day in range(11)]
    assert close_up_svg(told(scenario_run(samples=samples)), chapter(DAY_MS, DAY_MS + HOUR_MS)) is None


def test_the_overview_is_drawn_into_a_file(tmp_path: Path) -> None:
    draw_overview(told(scenario_run()), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert not pyplot.get_fignums()
