# The motor layer: every activation is bounded in steps and in time, and compared with the encoder.

from const import const

_MASK = const(0x3FFFFFFF)
_STALL_STEPS = const(3)
# A motor slips if it loses a tenth of these steps, in any order.
_SLIP_WINDOW = const(100)
_SLIP_STEPS = const(10)


class Motor:
    """`moved` is what the encoder saw of the last activation; `stalled` and `ran_away` latch until clear_faults().

    `lost` says how many steps were missing when it stalled: three in a row, or ten of the last hundred."""

    def __init__(self, board, step_ms, steps_max, on_ms_max):
        self._board = board
        self._step_ms = step_ms
        self._steps_max = steps_max
        self._on_ms_max = on_ms_max
        self._row = 0
        self._of_window = 0
        self._window = 0
        self.lost = 0
        self._position = 0
        self.moved = 0
        self.stalled = False
        self.ran_away = False

    def secure(self):
        """Switches the driver off, and compares with the encoder's position from here on."""
        self.switch_off()
        self._position = self._board.encoder()

    def activate(self, steps):
        """Moves at most `steps`; returns the number that was commanded."""
        steps = min(steps, self._steps_max)
        self._board.motor_run(steps, self._step_ms, self._on_ms_max)
        self._compare(steps)
        return steps

    def count_stray(self):
        """Returns the steps of motion that nothing commanded."""
        self._compare(0)
        return self.moved

    def _compare(self, commanded):
        position = self._board.encoder()
        moved = (position - self._position) & _MASK
        self._position = position
        if moved > _MASK // 2:
            # Backwards: no delivery, but the motor must not run any more.
            self.ran_away = True
            moved = 0
        self.moved = moved
        if moved > commanded:
            self.ran_away = True
        if commanded == 0:
            return
        self._window += commanded
        if moved < commanded:
            self._count_lost(commanded - moved)
        else:
            self._row = 0
        if self._window >= _SLIP_WINDOW:
            self._window = 0
            self._of_window = 0

    def _count_lost(self, steps):
        self._row += steps
        self._of_window += steps
        if self._row >= _STALL_STEPS or self._of_window >= _SLIP_STEPS:
            self.stalled = True
            self.lost = self._of_window

    def bounds(self):
        """The bounds of an activation, in the order of the profile."""
        return self._step_ms, self._steps_max, self._on_ms_max

    def switch_off(self):
        self._board.motor_off()

    def clear_faults(self):
        self.stalled = False
        self.ran_away = False
        self._row = 0
        self._of_window = 0
        self._window = 0
