# The surroundings of a fake chip: time, pins and what hangs on them, over the bench bus of the twin.
#
# Nothing here that runs inside a step, a wait or a sample allocates: the tests lock the heap around the board.

import sys
from array import array

WAIT = 1
UART_READ = 4
UART_WRITE = 5
FLASH_READ = 6
FLASH_WRITE = 7
FLASH_ERASE = 8
ADC = 9
HELLO = 10
COUNTER = 12
WATCHDOG = 13
DRIVER = 14
RANDOM = 16
# What only chips have: time that passes inside the program, a turn of the pump's shaft, files.
PASS = 18
STEP = 19
FILE_READ = 20
FILE_WRITE = 21

PINS = 64
TICKS_MASK = 0x3FFFFFFF
HALF_STEPS = b"\x01\x03\x02\x06\x04\x0c\x08\x09"
DC_TURN_US = 30_000
# Every so often a sleep ends a millisecond early.
EARLY = 7


class Link:
    """The bench bus over standard input and output; an end of file is the power being cut."""

    def __init__(self):
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer

    def exchange(self, request, payload, reply, into):
        self._out.write(request)
        if payload is not None:
            self._out.write(payload)
        if not self._in.readinto(reply):
            raise SystemExit
        if reply[1] and not self._in.readinto(into, reply[1]):
            raise SystemExit


class World:
    def __init__(self):
        self.link = Link()
        self.request = array("i", [0] * 5)
        self.reply = array("i", [0] * 5)
        self.levels = bytearray(PINS)
        self.outputs = bytearray(PINS)
        self.handlers = [None] * PINS
        self.irq_pins = [None] * PINS
        self.wave = None
        self.turn = False
        self.position = -1
        self.sleeps = 0
        self.bench = None
        self.flow = 0
        self.pulses = 0
        self.all_pulses = 0
        self.pulses_outside = 0
        self.dc_left = 0
        self.phase = 0
        self.bits = 0
        self.raw = 0

    def call(self, op, a=0, b=0, c=0, payload=None, into=None):
        request = self.request
        request[0] = op
        request[1] = 0 if payload is None else len(payload)
        request[2] = a
        request[3] = b
        request[4] = c
        self.link.exchange(request, payload, self.reply, into)
        if self.reply[4] != self.position:
            self.shaft_turned()
        return self.reply[3]

    def ticks(self):
        return self.reply[2]

    # The wiring

    def wire(self, bench):
        self.bench = bench
        motor = bench["motor"]
        self.kind = motor["kind"]
        self.per_step = motor.get("pulses", 1)
        self.pin = motor["pin"] if "pin" in motor else motor.get("step", -1)
        self.on = motor.get("on", 1)
        self.enable = motor.get("enable", -1)
        self.enable_on = motor.get("enable_on", 1)
        self.direction = motor.get("dir", -1)
        self.forward = motor.get("forward", 1)
        self.coils = motor.get("coils", ())
        self.half_steps = motor.get("half_steps", 8)
        encoder = bench["encoder"]
        self.encoder_a = -1 if encoder is None else encoder["a"]
        self.encoder_b = -1 if encoder is None else encoder.get("b", -1)
        self.counts = 1 if encoder is None else encoder["counts"]
        flow = bench["flow"]
        self.flow_pin = -1 if flow is None else flow["pin"]
        sense = bench["sense"]
        self.sense_pin = -1 if sense is None else sense["pin"]
        scale = bench["hx711"]
        self.clock_pin = -1 if scale is None else scale["clock"]
        self.data_pin = -1 if scale is None else scale["data"]

    def powered(self):
        if self.enable >= 0:
            return self.outputs[self.enable] and self.levels[self.enable] == self.enable_on
        if self.pin >= 0:
            return self.outputs[self.pin] and self.levels[self.pin] == self.on
        at = 0
        while at < len(self.coils):
            if self.levels[self.coils[at]]:
                return True
            at += 1
        return False

    def level(self, pin, value):
        """A pin is driven."""
        self.outputs[pin] = 1
        if self.levels[pin] == value:
            return
        self.levels[pin] = value
        if self.bench is None:
            return
        if pin == self.clock_pin:
            self.clock(value)
        elif pin == self.pin:
            self.driven(value)
        elif self.kind == "unipolar":
            self.half_step()

    def driven(self, value):
        if self.kind == "solenoid":
            self.turn = value == self.on
        elif self.kind == "dc":
            self.dc_left = DC_TURN_US
        elif value:
            if self.levels[self.enable] != self.enable_on or self.levels[self.direction] != self.forward:
                self.pulses_outside += 1
                return
            # The twin's step is made when its motion begins.
            self.turn = self.pulses == 0
            self.pulses += 1
            self.all_pulses += 1
            if self.pulses == self.per_step:
                self.pulses = 0

    def half_step(self):
        pattern = 0
        at = 0
        while at < 4:
            pattern |= self.levels[self.coils[at]] << at
            at += 1
        if pattern == HALF_STEPS[(self.phase + 1) & 7]:
            self.phase = (self.phase + 1) & 7
            if self.pulses == 0:
                self.call(STEP)
            self.pulses += 1
            if self.pulses == self.half_steps:
                self.pulses = 0

    def read(self, pin):
        if pin == self.sense_pin:
            lit = self.powered() or self.call(DRIVER)
            return self.bench["sense"]["on"] if lit else 1 - self.bench["sense"]["on"]
        return self.levels[pin]

    def clock(self, value):
        """One clock of the load cell's converter, which is always ready."""
        scale = self.bench["hx711"]
        if not value:
            if self.bits == 25:
                self.bits = 0
                self.levels[self.data_pin] = 0
            return
        if self.bits == 0:
            self.raw = self.call(ADC, 1) * scale["den"] // scale["num"] + scale["offset"]
        self.bits += 1
        self.levels[self.data_pin] = self.raw >> (24 - self.bits) & 1 if self.bits < 25 else 1

    # Time

    def shaft_turned(self):
        turned = (self.reply[4] - self.position) & TICKS_MASK
        first = self.position < 0
        self.position = self.reply[4]
        if first or self.encoder_a < 0 or self.handlers[self.encoder_a] is None:
            return
        left = turned * self.counts
        while left:
            left -= 1
            self.edge(self.encoder_a)
            if self.encoder_b >= 0:
                self.levels[self.encoder_b] ^= 1

    def edge(self, pin):
        if self.encoder_b >= 0 and pin == self.encoder_a:
            self.levels[pin] ^= 1
        self.handlers[pin](self.irq_pins[pin])

    def metered(self):
        if self.flow_pin < 0 or self.handlers[self.flow_pin] is None:
            return
        count = self.call(COUNTER)
        left = (count - self.flow) * self.bench["flow"]["counts"]
        self.flow = count
        while left > 0:
            left -= 1
            self.edge(self.flow_pin)

    def pass_us(self, us):
        """Time passes inside the program; pulses that are under way go on."""
        while us > 0:
            used = us
            if self.wave is not None and self.wave.running:
                used = self.wave.run(us)
            if self.dc_left and self.powered():
                used = min(used, self.dc_left)
                self.dc_left -= used
                if self.dc_left == 0:
                    self.dc_left = DC_TURN_US
                    self.turn = True
            if used:
                self.call(PASS, used)
                us -= used
            if self.turn:
                self.turn = False
                self.call(STEP)
        self.metered()

    def sleep_ms(self, ms):
        self.sleeps += 1
        if ms > 1 and self.sleeps % EARLY == 0:
            ms -= 1
        self.pass_us(ms * 1000)

    def rest(self, ms):
        """The program waits for an event, at most so long."""
        if self.wave is not None and self.wave.running:
            self.pass_us(ms * 1000)
        else:
            self.call(WAIT, ms)
            self.metered()


WORLD = World()
