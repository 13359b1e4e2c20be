# The service life: 90 days from the elective replacement indicator, or a number of calendar months from the implant,
# whichever ends first. The days run on pump time, which cannot be set; the months need a known calendar.

from const import const

from pump import wire
from pump.clock import DAY_MS
from pump.storage.records import UNKNOWN

_SERVICE_DAYS = const(90)
_MONTH_DAYS = b"\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"


class Service:
    def __init__(self, profile, clock, ledger, effects):
        self._profile = profile
        self._clock = clock
        self._ledger = ledger
        self._facts = ledger.facts
        self._effects = effects
        self._cap_of = UNKNOWN
        self._cap = UNKNOWN

    def record_replacement(self, mv):
        """Records that the battery has reached the level of its elective replacement, and raises its alarm."""
        facts, clock = self._facts, self._clock
        if facts.replacement_since is None:
            today = clock.local_days() if clock.known else UNKNOWN
            self._ledger.write(wire.RECORD_SERVICE, 0, clock.day, clock.ms, today, facts.implant_days, mv)
            self._effects.raise_alarm(wire.ALARM_ELECTIVE_REPLACEMENT, mv)

    def update_alarms(self):
        for alarm in self.lasting_alarms():
            self._effects.raise_alarm(alarm, 0)

    def lasting_alarms(self):
        """Alarms whose cause lasts. What it returns takes no memory while there are none."""
        due = self._facts.replacement_since is not None
        if self._is_over():
            return (wire.ALARM_ELECTIVE_REPLACEMENT, wire.ALARM_END_OF_SERVICE) if due else (wire.ALARM_END_OF_SERVICE,)
        return (wire.ALARM_ELECTIVE_REPLACEMENT,) if due else ()

    def _is_over(self):
        """Whether the service life has ended: after the days behind the indicator, or at its cap."""
        clock, since = self._clock, self._facts.replacement_since
        if since is not None:
            days = clock.day - since[0]
            if days > _SERVICE_DAYS or (days == _SERVICE_DAYS and clock.ms >= since[1]):
                return True
        cap = self.cap_days()
        return cap != UNKNOWN and clock.known and clock.local_days() >= cap

    def cap_days(self):
        """The local day on which the service life ends, in days since 2000-01-01; UNKNOWN where none is known."""
        implant = self._facts.implant_days
        if self._cap_of != implant:
            self._cap_of = implant
            months = self._profile.service_months
            self._cap = months_later(implant, months) if months and implant != UNKNOWN else UNKNOWN
        return self._cap

    def time_left(self):
        """(days, ms) that are left of the days after the indicator; UNKNOWN before it."""
        since = self._facts.replacement_since
        if since is None:
            return UNKNOWN, UNKNOWN
        clock = self._clock
        days = since[0] + _SERVICE_DAYS - clock.day
        ms = since[1] - clock.ms
        if ms < 0:
            days -= 1
            ms += DAY_MS
        return (days, ms) if days >= 0 else (0, 0)


def months_later(days, months):
    """The same day of a later month, or that month's last day; days since 2000-01-01."""
    year, month, day = _date(days)
    month += months
    year += month // 12
    month %= 12
    length = _month_days(year, month)
    return _first(year, month) + (day if day < length else length - 1)


def _date(days):
    """(years since 2000, month from 0, day from 0)."""
    year = 0
    while days >= _year_days(year):
        days -= _year_days(year)
        year += 1
    month = 0
    while days >= _month_days(year, month):
        days -= _month_days(year, month)
        month += 1
    return year, month, days


def _first(year, month):
    """Days from 2000-01-01 to the first of a month."""
    days = 0
    for each in range(year):
        days += _year_days(each)
    for each in range(month):
        days += _month_days(year, each)
    return days


def _year_days(year):
    return 366 if _is_leap(year) else 365


def _month_days(year, month):
    return 29 if month == 1 and _is_leap(year) else _MONTH_DAYS[month]


def _is_leap(year):
    # 2100 and 2200 are none.
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
