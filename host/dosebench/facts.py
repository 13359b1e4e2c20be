"""The figures that follow from a regimen, as far as the file allows: what cannot be known because of a mistake is None.

The rules in `dosebench.rules` and `dosebench.slips` look at these, so that one mistake does not hide the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dosebench_protocol.messages import COUNT_MAX

from dosebench import units
from dosebench.drugs import Drug
from dosebench.profile import OnLow, Profile
from dosebench.program import Program, best_fraction
from dosebench.regimen import Document, Regimen
from dosebench.units import DAY_MS, HOUR_MS, Quantity

CAP_RULE = "twice the basal's hour (or 1.25 times its day), one largest bolus and two steps, at most the pump's own cap"
"""How `limits.per_hour` and `limits.per_day` come about where the file has none. After a reset the slice of basal that
was under way counts as delivered although it may not have been: a cap nearer to the basal would stop a sound pump."""


@dataclass(frozen=True)
class Previous:
    """The therapy that a new one replaces: drug, concentration in ng/nL, basal in ng a day."""

    drug: str
    concentration: Fraction
    daily_ng: Fraction

    @classmethod
    def of(cls, program: Program) -> Previous:
        """What a program that is in force says of itself."""
        return cls(program.drug.decode(errors="replace"), program.concentration, program.daily_ng)


@dataclass(frozen=True)
class Facts:
    """What a regimen file says, in base units; None is what it does not say, or says wrongly.

    Attributes:
        document: The file.
        profile, drug, previous: What it is held against; None where unknown.
        concentration: ng/nL.
        diluted: Whether the drug counts as diluted: what the file says, else whether the concentration is no vial's.
        daily_ng: Basal of a day in ng.
        rate, minimum, bolus_rate: nL/ms; `rate` is what the mode delivers.
        filled, low, empty, bolus_nl: nL.
        hour_cap, day_cap: ng.
        stability_days: Days for which the drug keeps; zero where no figure is known.
        on_low: What a low reservoir does.
    """

    document: Document
    profile: Profile | None
    drug: Drug | None
    previous: Previous | None
    concentration: Fraction | None
    diluted: bool
    daily_ng: Fraction | None
    rate: Fraction | None
    minimum: Fraction | None
    filled: Fraction | None
    low: Fraction | None
    empty: Fraction | None
    bolus_nl: Fraction | None
    bolus_rate: Fraction | None
    hour_cap: Fraction | None
    day_cap: Fraction | None
    stability_days: int
    on_low: OnLow | None

    @property
    def bolus_ng(self) -> Fraction | None:
        """Largest clinician bolus in ng."""
        if self.bolus_nl is None or self.concentration is None:
            return None
        return self.bolus_nl * self.concentration

    @property
    def fraction(self) -> Fraction | None:
        """Basal in steps/ms as the pump will run it; None where unknown, or outside of what the pump can do at all."""
        if self.profile is None or self.rate is None:
            return None
        delivery = self.profile.delivery
        if self.rate and not delivery.rate_min <= self.rate <= delivery.rate_max:
            return None
        return best_fraction(self.profile.steps(self.rate))

    @property
    def step_ng(self) -> Fraction | None:
        """Drug in one step, in ng."""
        if self.profile is None or self.concentration is None:
            return None
        return self.profile.delivery.step_volume * self.concentration

    def dose(self, daily_ng: Fraction) -> str:
        """A daily dose as text, in the unit in which doses of this drug are written."""
        return units.show(daily_ng / DAY_MS, f"{self.drug.unit if self.drug else 'ug'}/day")

    def mass(self, amount_ng: Fraction) -> str:
        """A drug mass as text, in the unit in which doses of this drug are written."""
        return units.show(amount_ng, self.drug.unit if self.drug else "ug")

    def regimen(self) -> Regimen | None:
        """The complete order, or None where a figure is missing."""
        content, profile = self.document.content, self.profile
        known = (self.concentration, self.rate, self.minimum, self.filled, self.low, self.empty)
        caps = (self.hour_cap, self.day_cap, self.bolus_nl, self.bolus_rate)
        if profile is None or self.on_low is None or content.therapy.mode is None or None in known or None in caps:
            return None
        concentration, rate, minimum, filled, low, empty = (value for value in known if value is not None)
        hour_cap, day_cap, bolus_nl, bolus_rate = (value for value in caps if value is not None)
        return Regimen(
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
            bolus_max=bolus_nl,
            bolus_rate=bolus_rate,
            hour_cap=hour_cap,
            day_cap=day_cap,
            stability_days=self.stability_days,
            on_low=self.on_low,
        )


def derive(document: Document, profile: Profile | None, drug: Drug | None, previous: Previous | None) -> Facts:
    """Everything that can be known of a document."""
    content = document.content
    concentration = _above_zero(_value(content.drug.concentration))
    rate, minimum = _basal(document, profile, concentration)
    bolus_nl, bolus_rate = _bolus(document, profile, concentration)
    diluted = _diluted(document, drug, concentration)
    storage = drug.storage(first_fill=content.reservoir.first_fill, diluted=diluted) if drug else None
    hour_cap, day_cap = _caps(document, profile, concentration, (rate, minimum, bolus_nl))
    return Facts(
        document=document,
        profile=profile,
        drug=drug,
        previous=previous,
        concentration=concentration,
        diluted=diluted,
        daily_ng=_daily_ng(document, concentration, rate),
        rate=rate,
        minimum=minimum,
        filled=_value(content.reservoir.filled),
        low=_level(document, profile, "low"),
        empty=_level(document, profile, "empty"),
        bolus_nl=bolus_nl,
        bolus_rate=bolus_rate,
        hour_cap=hour_cap,
        day_cap=day_cap,
        stability_days=storage.days if storage else 0,
        on_low=content.limits.on_low or (profile.reservoir.on_low if profile else None),
    )


def as_volume(quantity: Quantity | None, concentration: Fraction | None) -> Fraction | None:
    """A volume, or a volume per time, of a quantity that is one or a drug mass (per time); None where not known."""
    if quantity is None:
        return None
    if quantity.dimension in (units.VOLUME, units.VOLUME_RATE):
        return quantity.value
    return quantity.value / concentration if concentration else None


def as_mass(quantity: Quantity | None, concentration: Fraction | None) -> Fraction | None:
    """The drug mass (per time) of a quantity that is one or a volume (per time); None where not known."""
    if quantity is None:
        return None
    if quantity.dimension in (units.MASS, units.MASS_RATE):
        return quantity.value
    return quantity.value * concentration if concentration else None


def _value(quantity: Quantity | None) -> Fraction | None:
    return quantity.value if quantity else None


def _above_zero(value: Fraction | None) -> Fraction | None:
    return value or None


def _basal(
    document: Document, profile: Profile | None, concentration: Fraction | None
) -> tuple[Fraction | None, Fraction | None]:
    therapy = document.content.therapy
    if therapy.minimum is not None or ("therapy", "minimum") in document.file.lines:
        minimum = as_volume(therapy.minimum, concentration)
    else:
        minimum = profile.delivery.rate_min if profile else None
    rate = {
        "continuous": as_volume(therapy.dose, concentration),
        "minimum_rate": minimum,
        "stopped": Fraction(0),
        None: None,
    }[therapy.mode]
    return rate, minimum


def _daily_ng(document: Document, concentration: Fraction | None, rate: Fraction | None) -> Fraction | None:
    therapy = document.content.therapy
    if therapy.mode == "continuous":
        dose = as_mass(therapy.dose, concentration)
        return None if dose is None else dose * DAY_MS
    if rate is None or concentration is None:
        return None
    return rate * concentration * DAY_MS


def _bolus(
    document: Document, profile: Profile | None, concentration: Fraction | None
) -> tuple[Fraction | None, Fraction | None]:
    default = profile.caps.bolus_rate if profile else None
    if "bolus" not in document.file.data:
        return Fraction(0), default
    table = document.content.bolus
    if table is None:
        return None, None
    if table.rate is not None or ("bolus", "rate") in document.file.lines:
        rate = as_volume(table.rate, concentration)
    else:
        rate = default
    return as_volume(table.max, concentration), rate


def _diluted(document: Document, drug: Drug | None, concentration: Fraction | None) -> bool:
    said = document.content.drug.diluted
    if said is not None:
        return said
    return drug is not None and concentration is not None and not drug.is_vial_strength(concentration)


def _level(document: Document, profile: Profile | None, name: str) -> Fraction | None:
    own: Quantity | None = getattr(document.content.reservoir, name)
    if own is not None:
        return own.value
    if ("reservoir", name) in document.file.lines or profile is None:
        return None
    default: Fraction = getattr(profile.reservoir, name)
    return default


def _caps(
    document: Document,
    profile: Profile | None,
    concentration: Fraction | None,
    volumes: tuple[Fraction | None, Fraction | None, Fraction | None],
) -> tuple[Fraction | None, Fraction | None]:
    limits, lines = document.content.limits, document.file.lines
    hour, day = as_mass(limits.per_hour, concentration), as_mass(limits.per_day, concentration)
    rate, minimum, bolus_nl = volumes
    if profile is None or concentration is None or rate is None or minimum is None or bolus_nl is None:
        return hour, day
    basal, extra = max(rate, minimum), bolus_nl + 2 * profile.delivery.step_volume
    if ("limits", "per_hour") not in lines:
        hour = _default_cap(min(2 * basal * HOUR_MS + extra, profile.caps.hour), concentration)
    if ("limits", "per_day") not in lines:
        day = _default_cap(min(Fraction(5, 4) * basal * DAY_MS + extra, profile.caps.day), concentration)
    return hour, day


def _default_cap(volume: Fraction, concentration: Fraction) -> Fraction:
    return min(volume * concentration, Fraction(COUNT_MAX))
