# Feeds the watchdog after a turn in which every task reported, and proves that it bites. Nothing else feeds it.

from const import const

from pump import wire

DELIVERY = const(1)
MONITOR = const(2)
LINK = const(4)
ALARMS = const(8)
_ALL = const(15)
_PROOF_MS = const(200)
_NEVER = const(0x3FFFFFFF)


class Supervisor:
    """`timeout_ms` 0 is a board without a watchdog. `proven` is a TestResult."""

    def __init__(self, board, ledger, timeout_ms):
        self._board = board
        self._ledger = ledger
        self._timeout_ms = timeout_ms
        self._reports = 0
        self._left_ms = 0
        self.proving = False
        self.proven = wire.TEST_RESULT_NOT_FITTED if timeout_ms == 0 else wire.TEST_RESULT_NOT_RUN

    def report(self, task):
        self._reports |= task

    def feed_watchdog(self):
        """Ends a turn. Only a turn in which every task reported feeds the watchdog."""
        if self._timeout_ms and self._reports == _ALL:
            self._board.watchdog(self._timeout_ms)
        self._reports = 0

    def sleep_ms_max(self):
        """The longest sleep after which the watchdog is still fed in time."""
        return self._timeout_ms - self._timeout_ms // 4 if self._timeout_ms else _NEVER

    # The proof, once per power-on. On RP2 a bite and a software reset have the same cause. The durable marker tells
    # them apart, because nothing runs between it and the reset.

    def start_proof(self, cause, armed):
        """Starts the proof if it is due. While `proving`, nothing else may run. `armed` is the durable marker."""
        if self._timeout_ms == 0:
            return
        if armed or cause == wire.RESET_CAUSE_WATCHDOG or cause == wire.RESET_CAUSE_SOFTWARE:
            # It bit, now or at the power-on before this reset.
            self.proven = wire.TEST_RESULT_PASSED
            return
        self._ledger.write(wire.RECORD_WATCHDOG_TEST, 0, _PROOF_MS, 0, 0, 0, 0)
        self._board.watchdog(_PROOF_MS)
        self._left_ms = 2 * _PROOF_MS
        self.proving = True

    def wait_for_bite(self, passed):
        """Milliseconds left until the bite is overdue. At 0 the watchdog has failed the proof."""
        self._left_ms -= passed
        if self._left_ms > 0:
            return self._left_ms
        self.proving = False
        self.proven = wire.TEST_RESULT_FAILED
        return 0
