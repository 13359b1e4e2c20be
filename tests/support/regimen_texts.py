"""Pieces of regimen files in the modes other than continuous."""

from __future__ import annotations

from regimens import BACLOFEN, HEAD

RESERVOIR = '[reservoir]\nfilled = "{filled}"\n'
FLEX = '[therapy]\nmode = "flex"\n'
DAY_AND_NIGHT = 'steps = [{ at = "00:00", rate = "10 ug/h" }, { at = "06:00", rate = "20 ug/h" }]\n'
PATIENT = '[patient_bolus]\ndose = "10 ug"\nover = "10 min"\nlockout = "2 h"\nper_day = 4\n'
PERIODIC = '[periodic_bolus]\ndose = "10 ug"\nevery = "6 h"\nover = "10 min"\n'
CATHETER = '[catheter]\nvolume = "0.2 mL"\npump_path = "0.14 mL"\ntable_version = 3\n'
MANY_STEPS = (
    "steps = [" + ", ".join(f'{{ at = "{m // 60:02}:{m % 60:02}", rate = "10 ug/h" }}' for m in range(49)) + "]"
)
MANY_RATES = "".join(
    f"[[therapy.pattern]]\ndays = {days}\nsteps = ["
    + ", ".join(f'{{ at = "{at:02}:00", rate = "{10 + 24 * number + at} ug/h" }}' for at in range(24))
    + "]\n"
    for number, days in enumerate(('["mon"]', '["tue"]', '["wed", "thu", "fri", "sat", "sun"]'))
)


def flex(patterns: str) -> str:
    return (HEAD + RESERVOIR).format(**BACLOFEN) + FLEX + patterns


def pattern(days: str, steps: str = DAY_AND_NIGHT) -> str:
    return f"[[therapy.pattern]]\ndays = {days}\n{steps}"


def titration(steps: str, more: str = "", drug: dict[str, str] = BACLOFEN) -> str:
    head = (HEAD + RESERVOIR).format(**drug)
    return f'{head}[therapy]\nmode = "titration"\n[titration]\nsteps = [{steps}]\n{more}'


def step(after: str, dose: str) -> str:
    return f'{{ after = "{after}", dose = "{dose}" }},'
