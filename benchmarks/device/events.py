# Plan, schedule and guard alone: N steps of the basal, as Pump.deliver() asks them.
import gc
import sys

sys.path.insert(0, sys.argv[-1])
sys.path.insert(0, "/script")
gc.disable()

from params import HARD_STEPS, PROGRAM, N  # noqa: E402
from pump.dosing.plan import Plan  # noqa: E402
from pump.dosing.schedule import Schedule  # noqa: E402
from pump.dosing.therapy import Therapy  # noqa: E402
from pump.guard.guard import Guard  # noqa: E402

ALLOWED = 1 << 29


def main():
    schedule = Schedule()
    plan = Plan()
    guard = Guard(HARD_STEPS, HARD_STEPS)
    guard.adopt_program(PROGRAM)
    guard.set_enabled(True)
    guard.set_allowance(ALLOWED)
    plan.load_therapy(Therapy(PROGRAM), 0, 0)
    schedule.basal.restart(plan.num, plan.den)
    schedule.running = True
    for _ in range(N):
        passed = min(schedule.next_ms(), plan.next_ms(True))
        guard.advance(passed)
        schedule.clear_due()
        schedule.advance(passed)
        plan.advance(passed, True)
        guard.count_moved(guard.permit_steps(schedule.basal_due))
    assert guard.allowance() == ALLOWED - N


main()
