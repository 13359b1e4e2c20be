# What the board files do where chips set traps. Which trap it is says the bench, as `trap`. Prints on stderr what there
# is to judge.

import sys

import begin

family = begin.family()

from chip import INTERRUPT_KEYS
from world import WORLD

DRIVEN = []


def say(*words):
    print(*words, file=sys.stderr)


def watch_pins():
    level = WORLD.level

    def watched(pin, value):
        DRIVEN.append((pin, value))
        level(pin, value)

    WORLD.level = watched


def make():
    module = getattr(__import__("boards." + family), family)
    return module.board(begin.SLOT, sys.argv[-1])


def soft_reset():
    """Pins are as an earlier program left them: the driver on, the step pin high."""
    motor = WORLD.bench["motor"]
    WORLD.outputs[motor["enable"]] = 1
    WORLD.levels[motor["enable"]] = motor["enable_on"]
    WORLD.levels[motor["step"]] = 1
    say("before", WORLD.powered())
    watch_pins()
    board = make()
    say("first", DRIVEN[0][0], DRIVEN[0][1])
    say("after", WORLD.powered(), board.driver_on(), WORLD.all_pulses)


def kbd_intr():
    say("before", *INTERRUPT_KEYS)
    make()
    say("after", *INTERRUPT_KEYS)


def dead():
    """The program begins a step, or a long pulse, and dies: what the hardware then does by itself in ten seconds."""
    board = make()
    pin = WORLD.bench["motor"]["step"]
    pulser = board._motor._pulser
    board._motor.on()
    pulser.train(500)
    WORLD.pass_us(10_000_000)
    say("train", WORLD.all_pulses, WORLD.levels[pin])
    began = WORLD.all_pulses
    pulser.hold(100)
    WORLD.pass_us(95_000)
    say("held", WORLD.levels[pin])
    WORLD.pass_us(10_000_000)
    say("let go", WORLD.levels[pin], WORLD.all_pulses - began)


def stop():
    """A motor that is switched off in the middle of a step makes no pulse more; the next step is whole again."""
    board = make()
    board._motor.on()
    board._motor._pulser.train(500)
    WORLD.pass_us(2_500)
    before = WORLD.all_pulses
    board.motor_off()
    WORLD.pass_us(1_000_000)
    say("stopped", before, WORLD.all_pulses, WORLD.levels[WORLD.bench["motor"]["step"]])
    board._motor.on()
    board._motor._pulser.train(500)
    WORLD.pass_us(1_000_000)
    say("again", WORLD.all_pulses - before)


def feeding():
    """The pump does not call any more, and the board waits and waits: the hardware must not be fed for ever."""
    board = make()
    board.watchdog(20_000)
    while True:
        board.wait(1_000)


def scale():
    board = make()
    say("scale", board.adc(1), board.adc(1))


def tone():
    board = make()
    pin = WORLD.bench["tone"]["pin"]
    at = board.ticks()
    heard = []
    for pattern in (1, 2):
        board.tone(pattern)
        for _ in range(9):
            heard.append(WORLD.levels[pin])
            board.wait(500)
    say("tone", "".join(str(level) for level in heard), board.ticks() - at & 0x3FFFFFFF)


def silence():
    """Ten days in which nothing is heard: more than half of what the tick counter holds."""
    from machine import lightsleep

    slept = []
    sys.modules["machine"].lightsleep = lambda ms: (slept.append(ms), lightsleep(ms))
    buffer = bytearray(10)
    board = make()
    board.uart_write(bytes(1_066))
    board.wait(100)
    hours = 0
    while hours < 240:
        board.uart_read(buffer)
        board.wait(3_600_000)
        hours += 1
    board.uart_write(bytes(1_066))
    board.uart_write(bytes(1_066))
    say("silence", board.uart_busy_ms(), sum(slept) // 3_600_000)


def bench():
    from boards import settings

    try:
        make()
        say("made")
    except settings.SettingsError as error:
        say("refused", error)
    say("pins", sum(WORLD.outputs))
    try:
        settings.bench(begin.SLOT, "stm32")
    except settings.SettingsError as error:
        say("other", error)


TRAPS = {
    "soft_reset": soft_reset,
    "kbd_intr": kbd_intr,
    "dead": dead,
    "stop": stop,
    "feeding": feeding,
    "scale": scale,
    "tone": tone,
    "silence": silence,
    "bench": bench,
}
TRAPS[WORLD.bench["trap"]]()
while True:
    WORLD.rest(3_600_000)
