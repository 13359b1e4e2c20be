# The motor's pins at rest, by what bench.json says and nothing else: the first thing that happens after any reset.

from machine import Pin

from boards import settings


def rest(slot):
    put_at_rest(settings.bench(slot)["motor"])


def put_at_rest(motor):
    kind = motor["kind"]
    if kind == "step_dir":
        Pin(motor["enable"], Pin.OUT, value=1 - motor["enable_on"])
        Pin(motor["step"], Pin.OUT, value=0)
    elif kind == "unipolar":
        for coil in motor["coils"]:
            Pin(coil, Pin.OUT, value=0)
    else:
        Pin(motor["pin"], Pin.OUT, value=1 - motor["on"])
