# The serial link: reads blocks of bytes, decodes frames, sends replies. It knows the form of a message, not its
# meaning.
#
# An idle line allocates nothing. A frame allocates its slices, its fields and two checksums (a CRC-32 above 2^30 is a
# heap integer on 32-bit ports), and the hashes of its tag. docs/FIRMWARE.md has the measured bound.

from binascii import crc32

from const import const

from pump import wire

_BLOCK_BYTES = const(256)
# Two of the longest frames: one that is held, and one that follows it.
_RX_BYTES = 2 * wire.FRAME_BYTES_MAX
_DELIMITER = b"\x00"
_NO_SESSION = b"\x00\x00\x00\x00"
_COUNT_MASK = const(0x3FFFFFFF)


class Link:
    """A line to one host. After receive() has returned True, `type`, `sequence` and `frame` up to `body_end` hold one
    request until send_reply() or drop_request(). Bytes that arrive meanwhile wait."""

    def __init__(self, board, device_id):
        self._board = board
        self._device_id = device_id
        self._block = bytearray(_BLOCK_BYTES)
        self._rx = bytearray(_RX_BYTES)
        self._fill = 0
        self._skipping = False
        self.frame = bytearray(wire.FRAME_BYTES_MAX)
        # A reply is written here, from HEADER_BYTES on.
        self.out = bytearray(wire.FRAME_BYTES_MAX)
        self._wire = bytearray(wire.FRAME_BYTES_MAX)
        self.body_end = 0
        self.type = 0
        self.version = 0
        self.device = _NO_SESSION
        self.session = _NO_SESSION
        self.tagged = False
        self.sequence = 0
        self.pending = False
        self.bad_frames = 0

    def receive(self):
        """Reads what has arrived; returns whether a request waits. Allocates nothing while nothing arrives."""
        while True:
            count = self._board.uart_read(self._block)
            if count == 0:
                break
            self._store_block(count)
        if not self.pending and self._fill:
            self._find_frame()
        return self.pending

    def has_frame(self):
        """Returns whether another complete frame has arrived. No further byte will wake the board for it."""
        return self._fill != 0 and not self.pending and self._rx.find(_DELIMITER, 0, self._fill) >= 0

    def _store_block(self, count):
        start = 0
        if self._skipping:
            end = self._block.find(_DELIMITER, 0, count)
            if end < 0:
                return
            self._skipping = False
            start = end + 1
        length = count - start
        if self._fill + length > _RX_BYTES:
            # Longer than two frames without a pause: drop it and wait for the next delimiter.
            self._fill = 0
            self._skipping = True
            self._count_bad_frame()
            return
        self._rx[self._fill : self._fill + length] = self._block[start:count]
        self._fill += length

    def _find_frame(self):
        while self._fill:
            end = self._rx.find(_DELIMITER, 0, self._fill)
            if end < 0:
                return
            good = end > 0 and self._decode_frame(end)
            if end > 0 and not good:
                self._count_bad_frame()
            rest = self._fill - end - 1
            self._rx[0:rest] = self._rx[end + 1 : self._fill]
            self._fill = rest
            if good:
                self.pending = True
                return

    def _count_bad_frame(self):
        self.bad_frames = (self.bad_frames + 1) & _COUNT_MASK

    def _decode_frame(self, end):
        length = _cobs_decode(self._rx, end, self.frame)
        if length < wire.HEADER_BYTES + wire.CRC_BYTES:
            return False
        crc_at = length - wire.CRC_BYTES
        if crc32(memoryview(self.frame)[:crc_at]).to_bytes(4, "little") != self.frame[crc_at:length]:
            return False
        header = wire.unpack_header(self.frame, 0, length)
        self.version, self.type, self.device, self.session, self.sequence, body_bytes = header
        self.body_end = wire.HEADER_BYTES + body_bytes
        extra = crc_at - self.body_end
        self.tagged = extra == wire.TAG_BYTES
        return body_bytes <= wire.BODY_BYTES_MAX and (extra == 0 or self.tagged)

    def decode_body(self, unpack):
        """The fields of the request, decoded by a function of wire.py. Raises ValueError."""
        return unpack(self.frame, wire.HEADER_BYTES, self.body_end)

    def drop_request(self):
        """Ends a request that needs no reply now; the next one can be decoded."""
        self.pending = False

    def send_reply(self, message, end, session):
        """Sends the reply to the request. Its body reaches from HEADER_BYTES to `end` in `out`."""
        self.pending = False
        self.send_frame(message, end, self.sequence, session)

    def send_frame(self, message, end, sequence, session):
        """Sends a frame whose body reaches from HEADER_BYTES to `end` in `out`, with a tag if there is a session."""
        out = self.out
        session_id = _NO_SESSION if session is None else session.id
        body_bytes = end - wire.HEADER_BYTES
        wire.pack_header(out, 0, wire.PROTOCOL_VERSION, message, self._device_id, session_id, sequence, body_bytes)
        if session is not None:
            end = session.append_tag(out, end)
        out[end : end + wire.CRC_BYTES] = crc32(memoryview(out)[:end]).to_bytes(4, "little")
        length = _cobs_encode(out, end + wire.CRC_BYTES, self._wire)
        self._board.uart_write(memoryview(self._wire)[:length])


def _cobs_decode(raw, end, out):
    """Decodes raw[:end], which holds no zero, into out; returns the length, or -1."""
    at = 0
    length = 0
    while at < end:
        count = raw[at] - 1
        at += 1
        if at + count > end or length + count + 1 > wire.FRAME_BYTES_MAX:
            return -1
        out[length : length + count] = raw[at : at + count]
        at += count
        length += count
        if count < 254 and at < end:
            out[length] = 0
            length += 1
    return length


def _cobs_encode(raw, end, out):
    """Encodes raw[:end] into out with the delimiter; returns the length."""
    at = 0
    length = 0
    while True:
        zero = raw.find(_DELIMITER, at, end)
        stop = end if zero < 0 else zero
        full = False
        while stop - at >= 254:
            out[length] = 255
            out[length + 1 : length + 255] = raw[at : at + 254]
            length += 255
            at += 254
            full = True
        if zero < 0 and full and at == end:
            break
        count = stop - at
        out[length] = count + 1
        if count:
            # Most zeros of a record stand side by side: an empty slice would take from the heap for each.
            out[length + 1 : length + 1 + count] = raw[at:stop]
        length += 1 + count
        if zero < 0:
            break
        at = zero + 1
    out[length] = 0
    return length + 1
