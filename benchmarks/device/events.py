# Schedule and guard alone: N steps of the basal, as Pump.deliver() asks them.
import gc
import sys

sys.path.insert(0, sys.argv[-1])
sys.path.insert(0, "/script")
gc.disable()

from params import HARD_STEPS, PROGRAM, N  # noqa: E402
from pump.guard import Guard  # noqa: E402
from pump.schedule import Schedule  # noqa: E402
from pump.therapy import Therapy  # noqa: E402

ALLOWED = 1 << 29


def main():
    schedule = Schedule()
    guard = Guard(HARD_STEPS, HARD_STEPS)
    guard.adopt(PROGRAM)
    guard.enable(True)
    guard.allow(ALLOWED)
    schedule.basal.restart(*Therapy(PROGRAM).rate())
    schedule.running = True
    for _ in range(N):
        passed = schedule.next_ms()
        guard.advance(passed)
        guard.moved(guard.permit(schedule.advance(passed)))
    assert guard.allowance() == ALLOWED - N


main()
