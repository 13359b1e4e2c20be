"""What a regimen file says of boluses, priming and bridge, in base units; None where it says nothing or is wrong.

A bridge is computed from plug flow: until the old solution has left pump path and catheter, the basal runs at the rate
that gives the new dose from the old concentration.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dosebench.base.units import DAY_MS
from dosebench.profile.model import Profile
from dosebench.regimen.amounts import as_volume, exact_ms
from dosebench.regimen.document import Document
from dosebench.regimen.order import Bridge, PatientBolus, PeriodicBolus, Priming

Concentrations = tuple[Fraction | None, Fraction | None]


@dataclass(frozen=True)
class Boluses:
    """Everything on top of the basal.

    Attributes:
        max_nl, rate: Largest clinician bolus (zero where there is none) and its rate in nL/ms.
        square_nl: Largest square bolus; zero where there is none.
        patient, periodic, priming: As in the order.
        path_nl: Volume from the reservoir to the catheter's tip.
    """

    max_nl: Fraction | None
    rate: Fraction | None
    square_nl: Fraction | None
    patient: PatientBolus | None
    periodic: PeriodicBolus | None
    priming: Priming | None
    path_nl: Fraction | None

    @property
    def periodic_day_nl(self) -> Fraction:
        """What a day's periodic boluses add, in nL."""
        return self.periodic.volume * (DAY_MS // self.periodic.every_ms) if self.periodic else Fraction(0)

    @property
    def patient_day_nl(self) -> Fraction:
        """What a day's patient boluses add if all are taken, in nL."""
        return self.patient.volume * self.patient.per_day if self.patient else Fraction(0)

    def most_in(self, span_ms: int) -> Fraction | None:
        """Most volume of boluses that is ordered for a window: one clinician and square bolus, all of the others."""
        if self.max_nl is None or self.square_nl is None:
            return None
        total = self.max_nl + self.square_nl
        if self.periodic:
            total += self.periodic.volume * (span_ms // self.periodic.every_ms + 1)
        if self.patient:
            days = -(-span_ms // DAY_MS)
            count = min(self.patient.per_day * days, span_ms // self.patient.lockout_ms + 1)
            total += self.patient.volume * count
        return total


def derive_boluses(document: Document, profile: Profile | None, concentration: Fraction | None) -> Boluses:
    """What is known of the boluses."""
    max_nl, rate = _derive_clinician(document, profile, concentration)
    content = document.content
    square = as_volume(content.square_bolus.max, concentration) if content.square_bolus else None
    path_nl = _derive_path(document)
    return Boluses(
        max_nl=max_nl,
        rate=rate,
        square_nl=square if document.states("square_bolus") else Fraction(0),
        patient=_derive_patient(document, concentration),
        periodic=_derive_periodic(document, concentration),
        priming=_derive_priming(document, profile, concentration, path_nl),
        path_nl=path_nl,
    )


def _derive_clinician(
    document: Document, profile: Profile | None, concentration: Fraction | None
) -> tuple[Fraction | None, Fraction | None]:
    default = profile.caps.bolus_rate if profile else None
    if not document.states("bolus"):
        return Fraction(0), default
    table = document.content.bolus
    if table is None:
        return None, None
    rate = as_volume(table.rate, concentration) if document.states("bolus", "rate") else default
    return as_volume(table.max, concentration), rate


def _derive_patient(document: Document, concentration: Fraction | None) -> PatientBolus | None:
    table = document.content.patient_bolus
    if table is None:
        return None
    volume, over, lockout = as_volume(table.dose, concentration), exact_ms(table.over), exact_ms(table.lockout)
    if not volume or over is None or lockout is None or table.per_day is None:
        return None
    return PatientBolus(volume, over, lockout, table.per_day)


def _derive_periodic(document: Document, concentration: Fraction | None) -> PeriodicBolus | None:
    table = document.content.periodic_bolus
    if table is None:
        return None
    volume, over, every = as_volume(table.dose, concentration), exact_ms(table.over), exact_ms(table.every)
    return PeriodicBolus(volume, over, every) if volume and over is not None and every is not None else None


def _derive_path(document: Document) -> Fraction | None:
    table = document.content.catheter
    if table is None or table.volume is None or table.pump_path is None:
        return None
    return table.volume.value + table.pump_path.value


def _derive_priming(
    document: Document, profile: Profile | None, concentration: Fraction | None, path_nl: Fraction | None
) -> Priming | None:
    table = document.content.priming
    if table is None or profile is None or path_nl is None:
        return None
    said = document.states("priming", "rate")
    rate = as_volume(table.rate, concentration) if said else profile.caps.bolus_rate
    return Priming(path_nl, rate) if rate is not None else None


def derive_bridge(
    document: Document, path_nl: Fraction | None, start_ng: Fraction | None, concentrations: Concentrations
) -> Bridge | None:
    """The bridge that a file asks for; None where there is none, or where both concentrations are the same.

    Args:
        document: The file.
        path_nl: Volume from the reservoir to the catheter's tip.
        start_ng: Dose per time of the new therapy at its start, in ng/ms.
        concentrations: New and old, in ng/nL; the old one is used where the file does not say what the path holds.
    """
    new, before = concentrations
    held = previous_concentration(document, before)
    if document.content.bridge is None or not path_nl or not start_ng or not held or held == new:
        return None
    return Bridge(path_nl, held, start_ng / held)


def previous_concentration(document: Document, before: Fraction | None) -> Fraction | None:
    """What pump path and catheter hold, in ng/nL: what the file says, else the therapy in force."""
    table = document.content.bridge
    if document.states("bridge", "previous_concentration"):
        return table.previous_concentration.value if table and table.previous_concentration else None
    return before
