"""Figures of delivery: curves, the band of deviations, marks under one label, and the magnified beginning."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from dosebench.journal.history import History, Point
from dosebench.report import delivery
from dosebench.report.delivery import INSET_STEPS, SAMPLES, Curves, draw_delivery, history_curves, simulation_curves
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from programs import example
from scenario_runs import DAY_MS, EVERY_MS, expected, simulated


def test_curves_of_a_simulation_meet_at_their_end() -> None:
    curves = simulation_curves(simulated(), "A title")
    days, ml = curves.expected
    assert (len(days), days[0], days[-1]) == (SAMPLES, 0.0, 1.0)
    assert ml[-1] == pytest.approx(0.4)
    assert curves.delivered[1][-1] == pytest.approx(0.4)
    assert curves.delivered[1][0] == 0
    assert (curves.title, curves.limit, curves.ug_per_ml) == ("A title", 0.5, 2000.0)
    assert "1600 steps" in curves.subtitle


def test_the_band_holds_the_deviation_just_before_and_at_each_step() -> None:
    _, lowest, highest = simulation_curves(simulated(), "t").band
    assert float(min(lowest)) == pytest.approx(-0.5, abs=1e-3)
    assert float(max(highest)) == pytest.approx(0.5, abs=1e-3)
    result = simulated()
    late = [*result.step_times_ms[:800], *(at + 2 * EVERY_MS for at in result.step_times_ms[800:])]
    _, lowest, _ = simulation_curves(replace(result, step_times_ms=late), "t").band
    assert float(min(lowest)) == pytest.approx(-2.5, abs=1e-2)


def test_alarms_and_boluses_are_marked_but_those_that_come_by_themselves() -> None:
    result = simulated(alarms=[("over_infusion", DAY_MS // 2)])
    result.expected.pump.ask_bolus(DAY_MS, 40)
    assert simulation_curves(result, "t").marks == [(0.5, "over infusion"), (1.0, "clinician 40")]


def test_the_beginning_is_magnified_where_one_rate_runs_alone() -> None:
    result = simulated()
    stairs = simulation_curves(result, "t").stairs
    assert stairs is not None
    times, per_hour = stairs
    assert len(times) == INSET_STEPS
    assert times[0] == pytest.approx(EVERY_MS / 2 / 3_600_000)
    assert per_hour == pytest.approx(3_600_000 / EVERY_MS)
    few = replace(result, step_times_ms=result.step_times_ms[: INSET_STEPS - 1])
    assert simulation_curves(few, "t").stairs is None
    assert simulation_curves(simulated(program=example("c7-bridge")), "t").stairs is None
    with_bolus = simulated()
    with_bolus.expected.pump.ask_bolus(DAY_MS, 40)
    assert simulation_curves(with_bolus, "t").stairs is None


def history(**changes: object) -> History:
    points = (Point(0, 0, 0), Point(DAY_MS, 1_600, 1_600), Point(2 * DAY_MS, 3_199, 3_203))
    marks = ((-5, "before"), (DAY_MS, "refill"))
    return replace(History(expected(2 * DAY_MS), points, example(), marks, 0, (), ()), **changes)


def test_curves_of_a_journal_are_what_its_records_count() -> None:
    curves = history_curves(history(), "t", "s")
    assert curves.delivered == ([0.0, 1.0, 2.0], [0.0, 0.4, pytest.approx(3_199 * 250 / 1e6)])
    assert curves.expected[1] == [0.0, 0.4, 0.8]
    days, lowest, highest = curves.band
    assert (days, lowest, highest) == ([0.0, 1.0, 2.0], [0.0, 0.0, -1.0], [0.0, 0.0, 3.0])
    assert curves.marks == [(1.0, "refill")]
    assert (curves.limit, curves.stairs) == (1.0, None)


def test_without_a_program_there_is_no_axis_of_drug() -> None:
    assert history_curves(history(program=None), "t", "s").ug_per_ml is None
    assert history_curves(history(), "t", "s").ug_per_ml == 2000.0


def test_marks_that_would_cover_each_other_share_a_label() -> None:
    marks = [(5.0, "c"), (1.0, "a"), (1.1, "b"), (1.15, "a"), (5.3, "d")]
    assert delivery._group_marks(marks, (0, 10)) == [(1.0, "a, b"), (5.0, "c"), (5.3, "d")]
    assert delivery._group_marks([], (0, 10)) == []


# Drawing


class Drawn:
    """The figure that was saved last."""

    figure: Figure | None = None


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    made = Drawn()

    def keep(figure: Figure, path: Path, title: str, dpi: int = 0) -> None:
        made.figure = figure
        path.write_text(title)
        assert dpi >= 0

    monkeypatch.setattr("dosebench.report.canvas.save_figure", keep)
    return made


def panels(drawn: Drawn) -> tuple[Axes, Axes]:
    assert drawn.figure is not None
    top, bottom, *_ = drawn.figure.axes
    return top, bottom


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_both_curves_the_band_and_its_limit_are_drawn(drawn: Drawn, tmp_path: Path) -> None:
    draw_delivery(simulation_curves(simulated(alarms=[("leak", DAY_MS // 2)]), "A title"), tmp_path / "x.png")
    top, bottom = panels(drawn)
    assert [line.get_label() for line in top.lines[:2]] == ["expected", "delivered"]
    assert texts(top) == ["leak"]
    assert texts(bottom) == ["limit 1/2 step"]
    low, high = bottom.get_ylim()
    assert (low, high) == (pytest.approx(-0.75, abs=0.01), pytest.approx(0.75, abs=0.01))
    assert len(top.child_axes) == 2, "the axis of drug and the magnified beginning"
    (inset,) = (axes for axes in top.child_axes if isinstance(axes, Axes))
    assert inset.get_title(loc="left") == f"the first {INSET_STEPS} steps"
    assert inset.get_xlabel() == "minutes"


def test_without_limit_drug_and_beginning_there_is_less(drawn: Drawn, tmp_path: Path) -> None:
    flat = ([0.0, 1.0], [0.0, 0.0])
    curves = Curves("t", "s", flat, flat, ([0.0], [0.0], [0.0]), None, [], None, None)
    draw_delivery(curves, tmp_path / "x.png")
    top, bottom = panels(drawn)
    assert top.child_axes == []
    assert texts(bottom) == []
    assert bottom.get_ylim() == pytest.approx((-0.15, 0.15))


@pytest.mark.parametrize(("limit", "name"), [(1.0, "1 step"), (float(Fraction(7, 3)), "2.33 steps")])
def test_the_limit_is_named(drawn: Drawn, tmp_path: Path, limit: float, name: str) -> None:
    draw_delivery(replace(history_curves(history(), "t", "s"), limit=limit), tmp_path / "x.png")
    assert texts(panels(drawn)[1]) == [f"limit {name}"]


def test_a_figure_is_written(tmp_path: Path) -> None:
    draw_delivery(history_curves(history(), "A title", "below"), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000
