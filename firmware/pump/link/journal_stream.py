# Sends the journal at the speed of the line: one request, many frames, in a window that the host moves forward.
#
# Each turn of the loop makes one slice of a frame, between steps. Records are sent as they lie in flash. The host
# checks their chain, and reads a record that does not fit with journal_read, which can correct one flipped bit.
#
# Delta coding: a record is coded as its differences from the last record of its slot (its kind, modulo 16). Its number
# and its chain value are left out, because the host computes them. All buffers are made at boot. docs/PROTOCOL.md has
# the format.

from array import array

from const import const

from pump import wire
from pump.part import NEVER, Part
from pump.refusal import Refusal

# No slice begins this near to a step: longer than a slice takes on any board (chosen).
QUIET_MS = const(30)
_HEAD_BYTES = const(15)
_DATA_BYTES = wire.BODY_BYTES_MAX - _HEAD_BYTES
_WHOLE_BYTES = 25 * wire.RECORD_BYTES
_SLICE = const(8)
_SLICE_BYTES = _SLICE * wire.RECORD_BYTES
# The longest coded record: head, kind, code, time, five numbers.
_CODED_BYTES_MAX = const(34)
_SLOTS = const(16)

_KIND = const(0x20)
_CODE = const(0x40)
_TIME = const(0x80)
_DAYS_MAX = const(2)
_DAY_MS = const(86_400_000)
_ESCAPE = const(0xF0)


class Coder:
    """Codes records by their differences. reset_state() is called at the start of every stream.

    Allocates nothing. A number is two small ints: its lower three bytes and its top byte.
    """

    def __init__(self):
        self._low = array("i", [0] * (_SLOTS * 5))
        self._top = bytearray(_SLOTS * 5)
        self._codes = bytearray(_SLOTS)
        self._kind = 0
        self._day = 0
        self._ms = 0

    def reset_state(self):
        for at in range(_SLOTS * 5):
            self._low[at] = 0
            self._top[at] = 0
        for at in range(_SLOTS):
            self._codes[at] = 0
        self._kind = 0
        self._day = 0
        self._ms = 0

    def code_record(self, record, at, out, to):
        """Codes the record at record[at:] into out[to:]; returns the end of its code."""
        kind, code = record[at + 10], record[at + 11]
        slot = kind & (_SLOTS - 1)
        head = 0
        head_at = to
        to += 1
        if kind != self._kind:
            head = _KIND
            out[to] = kind
            to += 1
            self._kind = kind
        if code != self._codes[slot]:
            head |= _CODE
            out[to] = code
            to += 1
            self._codes[slot] = code
        day = record[at + 4] | record[at + 5] << 8
        ms = record[at + 6] | record[at + 7] << 8 | record[at + 8] << 16 | record[at + 9] << 24
        days = day - self._day
        passed = days * _DAY_MS + ms - self._ms if 0 <= days <= _DAYS_MAX else -1
        if passed < 0:
            head |= _TIME
            out[to : to + 6] = record[at + 4 : at + 10]
            to += 6
        else:
            to = _put_number(passed, out, to)
        self._day = day
        self._ms = ms
        low, top = self._low, self._top
        before = 5 * slot
        at += 12
        for bit in (1, 2, 4, 8, 16):
            value = record[at] | record[at + 1] << 8 | record[at + 2] << 16
            change = value - low[before]
            if record[at + 3] != top[before]:
                head |= bit
                out[to] = _ESCAPE
                out[to + 1 : to + 5] = record[at : at + 4]
                to += 5
                top[before] = record[at + 3]
                low[before] = value
            elif change:
                head |= bit
                to = _put_number(2 * change if change > 0 else -2 * change - 1, out, to)
                low[before] = value
            at += 4
            before += 1
        out[head_at] = head
        return to


def _put_number(value, out, to):
    """Writes a number below 2^28 in one to four bytes; the leading ones of the first byte count the others."""
    if value < 0x80:
        out[to] = value
        return to + 1
    if value < 0x4000:
        out[to] = 0x80 | value >> 8
        out[to + 1] = value & 0xFF
        return to + 2
    if value < 0x200000:
        out[to] = 0xC0 | value >> 16
        out[to + 1] = value >> 8 & 0xFF
        out[to + 2] = value & 0xFF
        return to + 3
    out[to] = 0xE0 | value >> 24
    out[to + 1] = value >> 16 & 0xFF
    out[to + 2] = value >> 8 & 0xFF
    out[to + 3] = value & 0xFF
    return to + 4


class JournalStream(Part):
    """The journal on its way to one host. It is idle until a host asks for it."""

    def __init__(self, board, journal, link):
        self._board = board
        self._journal = journal
        self._link = link
        self._data = bytearray(_DATA_BYTES)
        self._block = bytearray(_SLICE_BYTES)
        self._chain = bytearray(wire.CHAIN_BYTES)
        self._coder = Coder()
        self._number = -1
        self._coding = 0
        self._sequence = 0
        self._session = None
        # The next record to send, where the host's window ends, and the frame that is being filled.
        self._at = 0
        self._until = 0
        self._first = 0
        self._fill = 0

    def accept_request(self, link, session):
        """Starts a stream, or moves the window of the one that runs. Raises Refusal."""
        number, first, until, coding, chain = link.decode_body(wire.unpack_journal_stream_request)
        if coding > wire.CODING_DELTA or until > wire.COUNT_MAX or first > wire.COUNT_MAX:
            raise ValueError
        if number != self._number or first > self._at:
            self._start_stream(number, first, coding, chain)
        self._until = until
        self._sequence = link.sequence
        self._session = session

    def _start_stream(self, number, first, coding, chain):
        journal = self._journal
        self._number = -1
        if first < journal.first():
            raise Refusal(wire.REASON_RECORD_GONE, journal.first())
        if first >= journal.next:
            raise Refusal(wire.REASON_RECORD_FUTURE, journal.next)
        record = memoryview(self._block)[: wire.RECORD_BYTES]
        known = chain != b"\x00" * wire.CHAIN_BYTES and journal.read_run(first - 1, record)
        if known and self._block[wire.RECORD_BYTES - wire.CHAIN_BYTES : wire.RECORD_BYTES] != chain:
            raise Refusal(wire.REASON_CHAIN_DIFFERS, first - 1)
        self._number = number
        self._coding = coding
        self._at = first
        self._fill = 0
        self._coder.reset_state()

    def next_ms(self):
        """Milliseconds until the line has room for the next slice."""
        if self._number < 0 or (self._at >= self._until and not self._fill):
            return NEVER
        return self._board.uart_busy_ms()

    def send_slice(self):
        """Makes a slice of the next frame, and sends the frame when it is full."""
        if self.next_ms():
            return
        if not self._fill:
            self._first = self._at
        if self._code_records() if self._coding == wire.CODING_DELTA else self._copy_records():
            self._send_frame()

    def _copy_records(self):
        data = memoryview(self._data)[self._fill : _WHOLE_BYTES]
        count = self._journal.read_run(self._at, data)
        self._at += count
        self._fill += count * wire.RECORD_BYTES
        if count:
            self._chain[:] = data[count * wire.RECORD_BYTES - wire.CHAIN_BYTES : count * wire.RECORD_BYTES]
        return count == 0 or self._fill == _WHOLE_BYTES or self._at == self._journal.next

    def _code_records(self):
        room = (_DATA_BYTES - self._fill) // _CODED_BYTES_MAX
        if room == 0:
            return True
        block, data = self._block, self._data
        if room < _SLICE:
            block = memoryview(block)[: room * wire.RECORD_BYTES]
        count = self._journal.read_run(self._at, block)
        for at in range(count):
            self._fill = self._coder.code_record(block, at * wire.RECORD_BYTES, data, self._fill)
        if count:
            self._chain[:] = block[count * wire.RECORD_BYTES - wire.CHAIN_BYTES : count * wire.RECORD_BYTES]
        self._at += count
        return count == 0 or self._at == self._journal.next

    def _send_frame(self):
        link = self._link
        if not self._fill:
            # The next record cannot be read here: the host uses journal_read for it.
            end = wire.pack_rejected(
                link.out, wire.HEADER_BYTES, wire.JOURNAL_STREAM, wire.REASON_RECORD_GONE, self._at + 1
            )
            self._number = -1
            link.send_frame(wire.REJECTED, end, self._sequence, self._session)
            return
        data = memoryview(self._data)[: self._fill]
        end = wire.pack_journal_stream_reply(
            link.out, wire.HEADER_BYTES, self._number, self._first, self._chain, data
        )
        self._fill = 0
        link.send_frame(wire.JOURNAL_STREAM | wire.REPLY, end, self._sequence, self._session)
