"""The figures that follow from a regimen, as far as the file allows: what cannot be known because of a mistake is None.

The rules look at these, so that one mistake does not hide the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dosebench_protocol.tables import COUNT_MAX

from dosebench.base import units
from dosebench.base.toml_file import Key
from dosebench.base.units import DAY_MINUTES, DAY_MS, HOUR_MS, MINUTE_MS, Quantity
from dosebench.profile.model import Profile
from dosebench.profile.schema import OnLow
from dosebench.regimen.amounts import as_mass
from dosebench.regimen.basal import Basal, derive_basal, minimum_rate
from dosebench.regimen.boluses import Boluses, derive_boluses, derive_bridge
from dosebench.regimen.document import Document
from dosebench.regimen.drugs import Drug
from dosebench.regimen.order import Bridge, DoseCap, OnCap, Order
from dosebench.therapy.cap_windows import DayPattern, counted_ms, window_steps
from dosebench.therapy.fractions import best_fraction
from dosebench.therapy.program import Program

CAP_RULE = (
    "three times the basal's hour (or 1.25 times its day; of the therapy before, where that is more), one largest "
    "clinician and square bolus, every periodic and patient bolus of that time, and two steps, at most the pump's own "
    "cap"
)
"""How `limits.per_hour` and `limits.per_day` come about where the file has none. After a reset the slice of basal that
was under way counts as delivered although it may not have been: a cap nearer to the basal would stop a sound pump."""

HOUR_MINUTES = 60


@dataclass(frozen=True)
class Previous:
    """The therapy that a new one replaces: drug, concentration in ng/nL, largest day in ng."""

    drug: str
    concentration: Fraction
    daily_ng: Fraction

    @classmethod
    def from_program(cls, program: Program) -> Previous:
        """What a program that is in force says of itself."""
        return cls(program.drug.name.decode(errors="replace"), program.concentration, program.daily_ng)


@dataclass(frozen=True)
class CapFact:
    """A dose cap: its key (None for a default), the window in ms, and the dose in ng; None where it is wrong."""

    key: Key | None
    window_ms: Fraction | None
    ng: Fraction | None

    @property
    def minutes(self) -> int | None:
        """The window in minutes, if it is a whole number of them."""
        if self.window_ms is None or (self.window_ms / MINUTE_MS).denominator != 1:
            return None
        return int(self.window_ms / MINUTE_MS)


@dataclass(frozen=True)
class Facts:
    """What a regimen file says, in base units; None is what it does not say, or says wrongly.

    Attributes:
        document: The file.
        profile, drug, previous: What it is held against; None where unknown.
        concentration: ng/nL.
        diluted: Whether the drug counts as diluted: what the file says, else whether the concentration is no vial's.
        basal, boluses, bridge: The therapy itself; see their modules.
        minimum: Fallback rate in nL/ms.
        filled, low, empty: nL.
        caps: Dose caps, those of an hour and a day first.
        stability_days: Days for which the drug keeps; zero where no figure is known.
        on_low, on_cap: What a low reservoir, and a reached cap, do.
        change_max: Most that a titration step may rise, as a share of the one before; None is no bound.
    """

    document: Document
    profile: Profile | None
    drug: Drug | None
    previous: Previous | None
    concentration: Fraction | None
    diluted: bool
    basal: Basal
    boluses: Boluses
    bridge: Bridge | None
    minimum: Fraction | None
    filled: Fraction | None
    low: Fraction | None
    empty: Fraction | None
    caps: tuple[CapFact, ...]
    stability_days: int
    on_low: OnLow | None
    on_cap: OnCap
    change_max: Fraction | None

    @property
    def rate(self) -> Fraction | None:
        """Largest rate of the basal in nL/ms."""
        return self.basal.largest

    @property
    def daily_ng(self) -> Fraction | None:
        """Drug of the largest day, periodic boluses included, in ng."""
        return self._with_boluses_ng(self.basal.day_ng, self.boluses.periodic_day_nl)

    @property
    def daily_nl(self) -> Fraction | None:
        """Volume of the largest day, periodic boluses included, in nL."""
        return None if self.basal.day_nl is None else self.basal.day_nl + self.boluses.periodic_day_nl

    @property
    def start_ng(self) -> Fraction | None:
        """Drug of a day of the dose with which it begins, periodic boluses included, in ng."""
        if self.basal.ramp == ():
            return self.daily_ng
        first = None if self.basal.start_ng is None else self.basal.start_ng * DAY_MS
        return self._with_boluses_ng(first, self.boluses.periodic_day_nl)

    @property
    def weekly_ng(self) -> Fraction | None:
        """Drug of Monday to Sunday, periodic boluses included, in ng."""
        return self._with_boluses_ng(self.basal.week_ng, 7 * self.boluses.periodic_day_nl)

    @property
    def most_daily_ng(self) -> Fraction | None:
        """Drug of the largest day if every patient bolus is taken, in ng."""
        return self._with_boluses_ng(self.daily_ng, self.boluses.patient_day_nl)

    @property
    def most_daily_nl(self) -> Fraction | None:
        """Volume of the largest day if every patient bolus is taken, in nL."""
        return None if self.daily_nl is None else self.daily_nl + self.boluses.patient_day_nl

    def _with_boluses_ng(self, basal_ng: Fraction | None, bolus_nl: Fraction) -> Fraction | None:
        if basal_ng is None or (bolus_nl and self.concentration is None):
            return None
        return basal_ng + bolus_nl * (self.concentration or 0)

    @property
    def bolus_ng(self) -> Fraction | None:
        """Largest clinician bolus in ng."""
        if self.boluses.max_nl is None or self.concentration is None:
            return None
        return self.boluses.max_nl * self.concentration

    @property
    def fraction(self) -> Fraction | None:
        """Largest basal in steps/ms as the pump will run it; None where unknown, or where the pump cannot do it."""
        return None if self.rate is None else self.fraction_of(self.rate)

    def fraction_of(self, rate: Fraction) -> Fraction | None:
        """A rate in nL/ms as the pump will run it, in steps/ms; None where the pump cannot do it."""
        return None if self.profile is None else _fraction_of(rate, self.profile)

    @property
    def step_ng(self) -> Fraction | None:
        """Drug in one step, in ng."""
        if self.profile is None or self.concentration is None:
            return None
        return self.profile.delivery.step_volume * self.concentration

    @property
    def bolus_limit(self) -> Fraction | None:
        """What the pump's highest rate leaves for a bolus on top of the largest basal, in steps/ms (R7)."""
        rates = [self.rate, self.minimum, self.bridge.rate if self.bridge else Fraction(0)]
        used = [self.fraction_of(rate) for rate in rates if rate is not None]
        known = [rate for rate in used if rate is not None]
        if self.profile is None or len(known) < len(rates):
            return None
        return self.profile.count_steps(self.profile.delivery.rate_max) - max(known)

    def window_steps(self, span_ms: int) -> int | None:
        """Most steps that the pump demands of a cap for basal and periodic boluses; see `cap_windows.window_steps`."""
        if self.fraction is None or self.profile is None:
            return None
        periodic = self.boluses.periodic
        steps = int(self.profile.count_steps(periodic.volume)) if periodic else 0
        patterns = _pattern_fractions(self.basal, self.profile)
        return window_steps(self.fraction, span_ms, steps, periodic.every_ms if periodic else 0, patterns)

    def cap_ng(self, minutes: int) -> Fraction | None:
        """The cap of a window, in ng."""
        return next((cap.ng for cap in self.caps if cap.minutes == minutes), None)

    @property
    def same_drug(self) -> bool:
        """Whether the therapy in force is of the same drug."""
        name, previous = self.document.content.drug.name, self.previous
        if name is None or previous is None:
            return False
        known = {name.lower()} | ({self.drug.name, *self.drug.aliases} if self.drug else set())
        return previous.drug.lower() in known

    def format_dose(self, daily_ng: Fraction) -> str:
        """A daily dose as text, in the unit in which doses of this drug are written."""
        return units.format_amount(daily_ng / DAY_MS, f"{self.unit}/day")

    def format_mass(self, amount_ng: Fraction) -> str:
        """A drug mass as text, in the unit in which doses of this drug are written."""
        return units.format_amount(amount_ng, self.unit)

    @property
    def unit(self) -> str:
        """Unit in which doses of this drug are written."""
        return self.drug.unit if self.drug else "ug"

    def complete_order(self) -> Order | None:
        """The complete order, or None where a figure is missing."""
        content, profile, extras = self.document.content, self.profile, self.boluses
        known = (self.concentration, self.minimum, self.filled, self.low, self.empty)
        more = (self.rate, extras.max_nl, extras.rate, extras.square_nl)
        caps = self._order_caps()
        if profile is None or self.on_low is None or content.therapy.mode is None or caps is None:
            return None
        if None in known or None in more or self.basal.patterns is None or self.basal.ramp is None:
            return None
        concentration, minimum, filled, low, empty = (value for value in known if value is not None)
        rate, bolus_max, bolus_rate, square_max = (value for value in more if value is not None)
        return Order(
            title=content.title,
            profile=profile.name,
            drug=content.drug.name or "",
            concentration=concentration,
            filled=filled,
            low=low,
            empty=empty,
            mode=content.therapy.mode,
            basal=rate if content.therapy.mode == "continuous" else Fraction(0),
            minimum=minimum,
            bolus_max=bolus_max,
            bolus_rate=bolus_rate,
            caps=caps,
            stability_days=self.stability_days,
            on_low=self.on_low,
            on_cap=self.on_cap,
            patterns=self.basal.patterns,
            ramp=self.basal.ramp,
            change_permille=self.change_permille if self.basal.ramp else 0,
            square_max=square_max,
            patient=extras.patient,
            periodic=extras.periodic,
            priming=extras.priming,
            path_version=(content.catheter.table_version or 0) if content.catheter else 0,
            bridge=self.bridge,
        )

    @property
    def change_permille(self) -> int:
        """`change_max` in whole thousandths as the pump holds it, rounded down; 0 is no bound."""
        return int(self.change_max * 1000) if self.change_max else 0

    def _order_caps(self) -> tuple[DoseCap, ...] | None:
        caps = [DoseCap(cap.minutes, cap.ng) for cap in self.caps if cap.minutes and cap.ng is not None]
        return tuple(caps) if len(caps) == len(self.caps) else None


def _fraction_of(rate: Fraction, profile: Profile) -> Fraction | None:
    """A rate in nL/ms as the pump will run it, in steps/ms; None where it cannot."""
    delivery = profile.delivery
    if rate and not delivery.rate_min <= rate <= delivery.rate_max:
        return None
    return best_fraction(profile.count_steps(rate))


def _pattern_fractions(basal: Basal, profile: Profile) -> list[DayPattern]:
    """Day patterns as the pump will run them; none in other modes, and where one of them is wrong."""
    patterns: list[DayPattern] = []
    for pattern in basal.patterns or ():
        rates = [_fraction_of(step.rate, profile) for step in pattern.steps]
        known = [(step.minute, rate) for step, rate in zip(pattern.steps, rates, strict=True) if rate is not None]
        if len(known) < len(rates):
            return []
        patterns.append(known)
    return patterns


def derive_facts(document: Document, profile: Profile | None, drug: Drug | None, previous: Previous | None) -> Facts:
    """Everything that can be known of a document."""
    content = document.content
    concentration = _value_of(content.drug.concentration) or None
    flow = derive_basal(document, profile, concentration)
    extras = derive_boluses(document, profile, concentration)
    minimum = minimum_rate(document, profile, concentration)
    diluted = _is_diluted(document, drug, concentration)
    storage = drug.shortest_storage(first_fill=content.reservoir.first_fill, diluted=diluted) if drug else None
    before = previous.concentration if previous else None
    return Facts(
        document=document,
        profile=profile,
        drug=drug,
        previous=previous,
        concentration=concentration,
        diluted=diluted,
        basal=flow,
        boluses=extras,
        bridge=derive_bridge(document, extras.path_nl, flow.start_ng, (concentration, before)),
        minimum=minimum,
        filled=_value_of(content.reservoir.filled),
        low=_derive_level(document, profile, "low"),
        empty=_derive_level(document, profile, "empty"),
        caps=_derive_caps(document, concentration, _Flow(profile, concentration, flow, minimum, extras, previous)),
        stability_days=storage.days if storage else 0,
        on_low=content.limits.on_low or (profile.reservoir.on_low if profile else None),
        on_cap=content.limits.on_cap or "minimum_rate",
        change_max=_change_max(document, drug),
    )


def _value_of(quantity: Quantity | None) -> Fraction | None:
    return quantity.value if quantity else None


def _is_diluted(document: Document, drug: Drug | None, concentration: Fraction | None) -> bool:
    said = document.content.drug.diluted
    if said is not None:
        return said
    return drug is not None and concentration is not None and not drug.is_vial_strength(concentration)


def _derive_level(document: Document, profile: Profile | None, name: str) -> Fraction | None:
    own: Quantity | None = getattr(document.content.reservoir, name)
    if own is not None:
        return own.value
    if document.states("reservoir", name) or profile is None:
        return None
    default: Fraction = getattr(profile.reservoir, name)
    return default


def _change_max(document: Document, drug: Drug | None) -> Fraction | None:
    """What the file bounds a titration step to, else what the drug library does."""
    table = document.content.titration
    if document.states("titration", "change_max"):
        return _value_of(table.change_max) if table else None
    usual = drug.change.soft_up_percent if drug else None
    return Fraction(usual.value, 100) if usual else None


# Caps


@dataclass(frozen=True)
class _Flow:
    """What default caps must leave room for."""

    profile: Profile | None
    concentration: Fraction | None
    basal: Basal
    minimum: Fraction | None
    boluses: Boluses
    previous: Previous | None

    def _left_in(self, minutes: int) -> Fraction:
        """Drug of the therapy before that a window may still hold at the commit, in ng, with what the new one adds."""
        if self.previous is None:
            return Fraction(0)
        return (3 if minutes == HOUR_MINUTES else Fraction(5, 4)) * self.previous.daily_ng * minutes / DAY_MINUTES

    def default_cap(self, minutes: int) -> Fraction | None:
        """The cap of an hour or a day where the file has none, in ng; None where it cannot be known."""
        span_ms = minutes * MINUTE_MS
        profile, concentration, minimum = self.profile, self.concentration, self.minimum
        rate, day, extra = self.basal.largest, self.basal.day_nl, self.boluses.most_in(span_ms)
        if profile is None or concentration is None or minimum is None or rate is None or day is None or extra is None:
            return None
        if minutes == HOUR_MINUTES:
            share, hard = 3 * HOUR_MS * max(rate, minimum), profile.caps.hour
        else:
            share, hard = Fraction(5, 4) * max(day, DAY_MS * minimum), profile.caps.day
        volume = max(share, self._demanded_volume(profile, rate, span_ms), self._left_in(minutes) / concentration)
        most = min(volume + extra + 2 * profile.delivery.step_volume, hard)
        return min(most * concentration, Fraction(COUNT_MAX))

    def _demanded_volume(self, profile: Profile, rate: Fraction, span_ms: int) -> Fraction:
        """What the pump demands of a cap for the basal alone, in nL, short of a step."""
        patterns, fraction = _pattern_fractions(self.basal, profile), _fraction_of(rate, profile)
        if not patterns or fraction is None:
            return rate * counted_ms(span_ms)
        return (window_steps(fraction, span_ms, patterns=patterns) - 1) * profile.delivery.step_volume


def _derive_caps(document: Document, concentration: Fraction | None, flow: _Flow) -> tuple[CapFact, ...]:
    """The caps that the file states, and those of hour and day where it does not."""
    limits = document.content.limits
    stated = [
        CapFact(("limits", "cap", at), _value_of(cap.window), as_mass(cap.dose, concentration))
        for at, cap in enumerate(limits.cap or [])
    ]
    windows = {cap.minutes for cap in stated}
    caps = []
    for name, minutes in (("per_hour", HOUR_MINUTES), ("per_day", DAY_MINUTES)):
        span = Fraction(minutes * MINUTE_MS)
        if document.states("limits", name):
            caps.append(CapFact(("limits", name), span, as_mass(getattr(limits, name), concentration)))
        elif minutes not in windows:
            caps.append(CapFact(None, span, flow.default_cap(minutes)))
    return (*caps, *stated)
