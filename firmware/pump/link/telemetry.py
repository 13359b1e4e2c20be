# Telemetry: sends chosen fields of a published table at a fixed period, for a limited time.
#
# A sample that comes due while the line is busy or a step is near waits. One that is due again before it was sent is
# skipped and counted. The rows are made at the subscription: a sample allocates its frame's checksum and tag alone.

from const import const

from pump import wire
from pump.clock import DAY_MS
from pump.part import NEVER, Part
from pump.refusal import Refusal
from pump.small_int import mul_div
from pump.storage.records import UNKNOWN

_PERIOD_MS_MIN = const(50)
# The longest subscription. A host that goes on watching renews it, so that a lost host is not served for long.
_LASTS_MS_MAX = const(60_000)
# Of the table in protocol/dosebench_protocol/telemetry.py.
_ANY_TRAIT = const(0xFF)
_FIELDS = wire.FIELD_ALARM_COUNT + 1


class Telemetry(Part):
    """The subscription of one host."""

    def __init__(self, board, clock, ledger, delivery, battery, link):
        self._board = board
        self._clock = clock
        self._journal = ledger.journal
        self._facts = ledger.facts
        self._delivery = delivery
        self._battery = battery
        self._link = link
        self._rows = []
        self._chosen = ()
        self._period_ms = 0
        self._left_ms = 0
        self._since_ms = 0
        self._number = 0
        self._skipped = 0
        self._sequence = 0
        self._session = None

    def accept_request(self, link, session):
        """Starts a subscription, or prolongs the one that runs. Raises Refusal."""
        table, fields, period, lasts = link.decode_body(wire.unpack_telemetry_subscribe_request)
        if table != wire.TELEMETRY_SUM:
            raise Refusal(wire.REASON_TABLE_DIFFERS)
        if not _PERIOD_MS_MIN <= period <= _LASTS_MS_MAX:
            raise Refusal(wire.REASON_TOO_OFTEN, _PERIOD_MS_MIN)
        chosen = tuple([at for at in range(_FIELDS) if fields >> at & 1])
        if chosen != self._chosen or period != self._period_ms or not self._left_ms:
            self._rows = [[0] for _ in chosen]
            self._chosen = chosen
            self._period_ms = period
            self._number = 0
            self._skipped = 0
            self._since_ms = period
        self._left_ms = min(lasts, _LASTS_MS_MAX)
        self._sequence = link.sequence
        self._session = session

    def pass_time(self, ms):
        """Counts the time. Allocates nothing: it runs with every turn of the loop."""
        if not self._left_ms:
            return
        self._left_ms = self._left_ms - ms if self._left_ms > ms else 0
        self._since_ms += ms

    def next_ms(self):
        """Milliseconds until a sample is due and the line has room."""
        if not self._left_ms:
            return NEVER
        left = self._period_ms - self._since_ms
        return max(left, self._board.uart_busy_ms()) if left < self._period_ms else left

    def send_sample(self):
        """Sends a sample if one is due."""
        if not self._left_ms or self._since_ms < self._period_ms or self._board.uart_busy_ms():
            return
        late = self._since_ms // self._period_ms
        self._since_ms -= late * self._period_ms
        if self._number:
            self._skipped += late - 1
        values = self._values()
        for at in range(len(self._chosen)):
            self._rows[at][0] = values[self._chosen[at]]
        link, clock = self._link, self._clock
        end = wire.pack_telemetry_subscribe_reply(
            link.out, wire.HEADER_BYTES, self._number, self._skipped, clock.day, clock.ms, self._rows
        )
        self._number += 1
        link.send_frame(wire.TELEMETRY_SUBSCRIBE | wire.REPLY, end, self._sequence, self._session)

    def _values(self):
        """All fields, in the order of their numbers (wire.FIELD_*)."""
        facts, delivery = self._facts, self._delivery
        num, den = delivery.rate()
        return (
            delivery.state(),
            facts.worst_alarm(_ANY_TRAIT),
            facts.low,
            facts.high,
            facts.missed,
            mul_div(DAY_MS, num, den)[0],
            delivery.schedule.bolus_left,
            delivery.schedule.square_left,
            0 if facts.reservoir == UNKNOWN else facts.reservoir,
            self._battery.mv,
            delivery.guard.allowance(),
            self._journal.next,
            self._link.bad_frames,
            len(facts.latched),
        )
