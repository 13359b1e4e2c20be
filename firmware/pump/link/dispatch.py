# The dispatcher hands each request to the part that answers it. The link has checked its form, and the gate checks who
# may send it. A command is carried out at most once: the host of its session and its counter decide.

from binascii import crc32

from pump import wire
from pump.refusal import Refusal
from pump.storage.outcomes import Outcome

_BROADCAST = b"\x00\x00\x00\x00"
# Behind the counter.
_CONTENT_AT = wire.HEADER_BYTES + wire.COMMAND_BYTES


class Dispatcher:
    """Answers the request that waits at the link. `queries` are parts that name what they answer."""

    def __init__(self, device_id, profile, ledger, delivery, orders, link, gate, upload, queries, stream, telemetry):
        self._device_id = device_id
        self._profile = profile
        self._ledger = ledger
        self._outcomes = ledger.outcomes
        self._delivery = delivery
        self._orders = orders
        self._link = link
        self._gate = gate
        self._upload = upload
        # The session that the stage belongs to.
        self._session = None
        self._answers = {wire.SESSION_CLOSE: self._close_session}
        for part in queries:
            self._answers.update(part.answers())
        # Answered later, and more than once.
        self._streams = {
            wire.JOURNAL_STREAM: stream.accept_request,
            wire.TELEMETRY_SUBSCRIBE: telemetry.accept_request,
        }
        # Decoder of the request, and what carries it out.
        self._commands = {
            wire.PROGRAM_COMMIT: (wire.unpack_program_commit_request, upload.commit),
            wire.START: (wire.unpack_start_request, orders.start_delivery),
            wire.STOP: (wire.unpack_stop_request, orders.stop_delivery),
            wire.BOLUS: (wire.unpack_bolus_request, orders.start_bolus),
            wire.BOLUS_CANCEL: (wire.unpack_bolus_cancel_request, orders.cancel_bolus),
            wire.PATIENT_BOLUS: (wire.unpack_patient_bolus_request, orders.start_patient_bolus),
            wire.SQUARE_BOLUS: (wire.unpack_square_bolus_request, orders.start_square_bolus),
            wire.SQUARE_CANCEL: (wire.unpack_square_cancel_request, orders.cancel_square_bolus),
            wire.PRIME_ARM: (wire.unpack_prime_arm_request, orders.arm_priming),
            wire.PRIME: (wire.unpack_prime_request, orders.start_priming),
            wire.PATENCY: (wire.unpack_patency_request, orders.test_patency),
            wire.REFILL: (wire.unpack_refill_request, orders.record_refill),
            wire.ALARM_CLEAR: (wire.unpack_alarm_clear_request, orders.clear_alarms),
            wire.ALARM_SILENCE: (wire.unpack_alarm_silence_request, orders.silence_alarms),
            wire.CLOCK_SET: (wire.unpack_clock_set_request, orders.set_clock),
            wire.IMPLANT: (wire.unpack_implant_request, orders.record_implant),
            wire.DOSE_WINDOWS_SET: (wire.unpack_dose_windows_set_request, orders.carry_windows),
        }

    def needs_flash(self):
        """Returns whether the waiting request writes flash and can wait until no step is near. STOP never waits."""
        message = self._link.type
        if message == wire.STOP:
            return False
        return message in wire.CHANGES_STATE or message in (wire.PROGRAM_BEGIN, wire.PROGRAM_ABORT, wire.SESSION_CLOSE)

    def handle_request(self):
        """Answers the waiting request."""
        link = self._link
        session = None
        try:
            self._check_address()
            if link.type == wire.STOP:
                # Before anything else is judged: STOP is accepted from anyone, even if the rest of it is invalid.
                self._delivery.halt_motion()
                self._orders.disarm_priming()
            session = self._identify_session()
            if session is not None and link.type != wire.STOP and wire.role_of(link.type) > session.role:
                raise Refusal(wire.REASON_ROLE, wire.role_of(link.type))
            self._answer_request(session)
        except Refusal as refusal:
            self._reject(session, refusal.reason, refusal.detail)
        except ValueError:
            # A STOP that cannot be decoded has stopped the pump all the same.
            self._delivery.record_halt()
            self._reject(session, wire.REASON_MALFORMED, 0)

    def _check_address(self):
        link = self._link
        # STOP is frozen: any host of any version stops any pump that it reaches.
        if link.version != wire.PROTOCOL_VERSION and link.type != wire.STOP:
            raise Refusal(wire.REASON_WRONG_VERSION, wire.PROTOCOL_VERSION)
        to_any = link.device == _BROADCAST and (link.type == wire.HELLO or link.type == wire.STOP)
        if link.device != self._device_id and not to_any:
            raise Refusal(wire.REASON_WRONG_DEVICE)

    def _identify_session(self):
        """The session of the request, or None. A STOP whose session is refused counts as one without a session."""
        try:
            session = self._gate.identify_session(self._link)
        except Refusal:
            if self._link.type != wire.STOP:
                raise
            return None
        if session is not None and session is not self._session:
            # A new session was opened. It cannot commit what another one staged.
            self._session = session
            self._upload.drop_stage(wire.STAGE_DROP_ABORT)
        return session

    def _answer_request(self, session):
        link = self._link
        message = link.type
        if message == wire.SESSION_OPEN:
            self._open_session()
        elif message == wire.OUTCOME:
            self._reply(session, self._answer_outcome(link, session.host))
        elif message in self._answers:
            self._reply(session, self._answers[message](link))
        elif message in self._streams:
            self._streams[message](link, session)
            link.drop_request()
        elif session is None:
            # No other command gets here without a session.
            self._stop_without_session()
        else:
            unpack, act = self._commands[message]
            self._carry_out(session, link.decode_body(unpack), act)

    def _reply(self, session, end):
        self._link.send_reply(self._link.type | wire.REPLY, end, session)

    def _reject(self, session, reason, detail):
        link = self._link
        end = wire.pack_rejected(link.out, wire.HEADER_BYTES, link.type, reason, detail)
        link.send_reply(wire.REJECTED, end, session)

    # Commands: at most once each

    def _carry_out(self, session, fields, act):
        link = self._link
        message, host, counter = link.type, session.host, fields[0]
        self._require_settings()
        if counter > wire.COUNT_MAX:
            raise ValueError
        content = crc32(memoryview(link.frame)[_CONTENT_AT : link.body_end]) & wire.COUNT_MAX
        if counter <= self._outcomes.newest_counter(host):
            # Only a new counter makes a new record. A STOP has stopped the pump all the same.
            self._delivery.record_halt()
            self._answer_again(session, self._outcomes.find_outcome(host), message, counter, content)
            return
        try:
            act(session, fields)
        except Refusal as refusal:
            self._orders.record_refusal(session, counter, message, refusal.reason)
        if self._delivery.distrusted or self._ledger.corrupted:
            # The outcome is not known before the pump has started over, so it sends no answer.
            return
        known = self._outcomes.find_outcome(host)
        known.remember_content(content)
        self._send_outcome(session, known)

    def _require_settings(self):
        """Refuses a command while the settings are damaged: they do not say for sure where the flash may be written, so
        nothing could be made durable."""
        if not self._profile.is_valid:
            raise Refusal(wire.REASON_SAFE_STATE, self._ledger.facts.worst_alarm(wire.TRAIT_SAFE))

    def _stop_without_session(self):
        """Stops the pump without a valid tag. Its body says nothing, and it counts for no host. A stopped pump writes
        nothing, so that a flood wears no flash."""
        self._require_settings()
        facts = self._ledger.facts
        record = self._ledger.journal.next - 1
        if facts.running or facts.bolus_left or facts.square_left:
            record = self._orders.stop_delivery(None, ())
        outcome = Outcome(_BROADCAST, 0, wire.STOP, wire.REASON_DONE, 0, facts.low, facts.high, record)
        self._send_outcome(None, outcome)

    def _answer_again(self, session, known, message, counter, content):
        if known is None or counter < known.counter:
            raise Refusal(wire.REASON_COUNTER_OLD, self._outcomes.floor if known is None else known.counter)
        # The content is not known after a reset.
        if known.type != message or known.content not in (0, content):
            raise Refusal(wire.REASON_COUNTER_USED, known.counter)
        self._send_outcome(session, known)

    def _send_outcome(self, session, known):
        self._reply(session, _pack_outcome(self._link.out, known))

    def _answer_outcome(self, link, host):
        (counter,) = link.decode_body(wire.unpack_outcome_request)
        known, newest = self._outcomes.find_outcome(host), self._outcomes.newest_counter(host)
        if counter > newest:
            raise Refusal(wire.REASON_OUTCOME_UNKNOWN, newest)
        if known is None or counter < newest:
            # It may have been carried out: the journal has its record.
            raise Refusal(wire.REASON_COUNTER_OLD, newest)
        return _pack_outcome(link.out, known)

    # Sessions

    def _open_session(self):
        link, ledger = self._link, self._ledger
        role, host, nonce = link.decode_body(wire.unpack_session_open_request)
        journal, boot_count = ledger.journal, ledger.facts.boot_count
        if ledger.is_foreign():
            raise Refusal(wire.REASON_JOURNAL_OF_ANOTHER_VERSION)
        if journal.failed:
            # The boot count may not be durable, and no command could be.
            raise Refusal(wire.REASON_FLASH_FAILED)
        session, mine = self._gate.offer_session(role, host, nonce, boot_count)
        end = wire.pack_session_open_reply(
            link.out,
            wire.HEADER_BYTES,
            mine,
            boot_count,
            wire.SESSION_IDLE_MS,
            self._outcomes.newest_counter(host),
            journal.next,
            journal.chain(),
        )
        self._reply(session, end)

    def _close_session(self, link):
        self._upload.drop_stage(wire.STAGE_DROP_ABORT)
        self._gate.close_session()
        self._session = None
        journal = self._ledger.journal
        return wire.pack_session_close_reply(link.out, wire.HEADER_BYTES, journal.next, journal.chain())


def _pack_outcome(out, known):
    at = wire.HEADER_BYTES
    return wire.pack_outcome(
        out, at, known.counter, known.reason, known.accepted, known.low, known.high, known.record
    )
