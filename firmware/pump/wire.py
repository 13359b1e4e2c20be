# Generated from protocol/dosebench_protocol (messages.py, terms.py), do not edit; `make gen`
#
# pack_x(buf, off, fields...) writes into buf (bytearray or memoryview) and returns the offset after the last byte.
# Fields behind a star are passed by name.
# unpack_x(buf, off, end) returns a tuple of fields; end <= len(buf). Bytes after the last known field are ignored.
# read_x(into, buf, off, end) does the same and assigns each field to the attribute of its name.
# An array is a list of rows, each a tuple; a list of numbers that have names is bytes.
# Both raise ValueError when something is too short, too long or has no room. Bytes come back as copies.
# The caller sees to it that integers fit their field (MicroPython cuts them off without a word), and passes fields of
# fixed length as bytes or bytearray. Numbers without a name in an enumeration pass through.
# fmt: off
from struct import calcsize, pack_into, unpack_from

from const import const

SCHEMA_HASH = b"\x16\x7f\xc1\xab\x4c\x77\x72\xe9"

# limits
PROTOCOL_VERSION = const(2)
FRACTION_MAX = const(536870912)
COUNT_MAX = const(1073741823)
BODY_BYTES_MAX = const(1024)
RECORD_BYTES = const(40)
CHAIN_BYTES = const(8)
PROGRAM_BYTES_MAX = const(3072)
CHUNK_BYTES_MAX = const(256)
FLEX_STEPS_MAX = const(48)
PATTERNS_MAX = const(7)
RATES_MAX = const(64)
DRUGS_MAX = const(4)
CAPS_MAX = const(12)
GUARD_CAPS_MAX = const(8)
CAP_MINUTES_MAX = const(2880)
TITRATION_STEPS_MAX = const(64)
PATIENT_BOLUSES_MAX = const(24)
PRIME_ARMED_MS = const(60000)
LATCHED_MAX = const(16)
HASH_HEAD_BYTES = const(8)
PROGRAM_FORMAT = const(2)
HEADER_BYTES = const(16)
TAG_BYTES = const(16)
NONCE_BYTES = const(16)
KEY_BYTES = const(32)
SESSION_IDLE_MS = const(120000)
OFFER_MS = const(10000)
CRC_BYTES = const(4)
PLAIN_BYTES_MAX = const(1060)
FRAME_BYTES_MAX = const(1066)

# message types; a reply has that of its request | REPLY
HELLO = const(1)
SESSION_OPEN = const(2)
SESSION_CLOSE = const(3)
STATUS = const(16)
PROGRAM_BEGIN = const(32)
PROGRAM_CHUNK = const(33)
PROGRAM_VERIFY = const(34)
PROGRAM_COMMIT = const(35)
PROGRAM_ABORT = const(36)
PROGRAM_READ = const(37)
START = const(48)
STOP = const(49)
BOLUS = const(50)
BOLUS_CANCEL = const(51)
REFILL = const(52)
OUTCOME = const(53)
ALARM_CLEAR = const(54)
PATIENT_BOLUS = const(55)
SQUARE_BOLUS = const(56)
SQUARE_CANCEL = const(57)
PRIME_ARM = const(58)
PRIME = const(59)
ALARM_SILENCE = const(60)
PATENCY = const(61)
DOSE_WINDOWS_SET = const(62)
CLOCK_SET = const(64)
IMPLANT = const(65)
JOURNAL_INFO = const(80)
JOURNAL_READ = const(81)
FAULT_INFO = const(82)
FAULT_READ = const(83)
JOURNAL_STREAM = const(84)
SELFTEST = const(96)
COUNTERS = const(97)
MEMORY = const(98)
SENSORS = const(99)
SERVICE = const(100)
TELEMETRY_TABLE = const(112)
TELEMETRY_SUBSCRIBE = const(113)
REPLY = const(128)
REJECTED = const(255)

# Role
ROLE_NONE = const(0)
ROLE_OBSERVER = const(1)
ROLE_OPERATOR = const(2)
ROLE_PROGRAMMER = const(3)
ROLE_SERVICE = const(4)

# ResetCause
RESET_CAUSE_UNKNOWN = const(0)
RESET_CAUSE_POWER_ON = const(1)
RESET_CAUSE_BROWN_OUT = const(2)
RESET_CAUSE_WATCHDOG = const(3)
RESET_CAUSE_SOFTWARE = const(4)

# Mode
MODE_STOPPED = const(0)
MODE_MINIMUM_RATE = const(1)
MODE_CONTINUOUS = const(2)
MODE_FLEX = const(3)
MODE_TITRATION = const(4)

# Delivery
DELIVERY_UNPROGRAMMED = const(0)
DELIVERY_STOPPED = const(1)
DELIVERY_RUNNING = const(2)
DELIVERY_SAFE = const(3)

# StopReason
STOP_REASON_NONE = const(0)
STOP_REASON_COMMAND = const(1)
STOP_REASON_RESERVOIR_EMPTY = const(2)
STOP_REASON_FAULT = const(3)
STOP_REASON_MODE = const(4)
STOP_REASON_NEVER_STARTED = const(5)

# OnLow
ON_LOW_KEEP = const(0)
ON_LOW_MINIMUM_RATE = const(1)
ON_LOW_STOP = const(2)

# OnCap
ON_CAP_MINIMUM_RATE = const(0)
ON_CAP_STOP = const(1)

# BolusKind
BOLUS_KIND_NONE = const(0)
BOLUS_KIND_CLINICIAN = const(1)
BOLUS_KIND_PATIENT = const(2)
BOLUS_KIND_PERIODIC = const(3)
BOLUS_KIND_PRIMING = const(4)
BOLUS_KIND_PATENCY = const(5)

# EndReason
END_REASON_COMPLETED = const(0)
END_REASON_CANCELLED = const(1)
END_REASON_CAP = const(2)
END_REASON_STOPPED = const(3)
END_REASON_FAULT = const(4)
END_REASON_EMPTY = const(5)
END_REASON_RESET = const(6)

# RefillLimit
REFILL_LIMIT_VOLUME = const(0)
REFILL_LIMIT_STABILITY = const(1)
REFILL_LIMIT_CAP = const(2)
REFILL_LIMIT_NONE = const(3)

# Alarm
ALARM_NONE = const(0)
ALARM_RESERVOIR_LOW = const(1)
ALARM_RESERVOIR_EMPTY = const(2)
ALARM_MOTOR_STALL = const(3)
ALARM_MOTOR_RUNAWAY = const(4)
ALARM_THERAPY_LOST = const(5)
ALARM_JOURNAL_DAMAGED = const(6)
ALARM_DOSE_CAP = const(7)
ALARM_CLOCK_UNKNOWN = const(8)
ALARM_GUARD_DISAGREES = const(9)
ALARM_BATTERY_LOW = const(10)
ALARM_MISSED_VOLUME = const(11)
ALARM_FLASH_FAILED = const(12)
ALARM_RESERVOIR_DISAGREES = const(13)
ALARM_OCCLUSION = const(14)
ALARM_LEAK = const(15)
ALARM_FREE_FLOW = const(16)
ALARM_OVER_INFUSION = const(17)
ALARM_UNDER_INFUSION = const(18)
ALARM_AIR = const(19)
ALARM_OVER_TEMPERATURE = const(20)
ALARM_SENSOR_FAULT = const(21)
ALARM_ELECTIVE_REPLACEMENT = const(22)
ALARM_BATTERY_EMPTY = const(23)
ALARM_END_OF_SERVICE = const(24)
ALARM_PUMP_STOPPED = const(25)
ALARM_ALARM_REPEATED = const(26)
ALARM_RESETS_REPEATED = const(27)
ALARM_SELFTEST_FAILED = const(28)
ALARM_REFILL_MISMATCH = const(29)
ALARM_THERAPY_UNFIT = const(30)

# bits of ALARM_TRAITS
TRAIT_SAFE = const(1)
TRAIT_HALT = const(2)
TRAIT_BLOCK = const(4)
TRAIT_ESCALATES = const(8)
TRAIT_PRIORITY = const(48)
TRAIT_FALLBACK = const(64)
TRAIT_NEEDS_CLEARING = const(128)
TRAIT_PRIORITY_SHIFT = const(4)

# Priority
PRIORITY_NONE = const(0)
PRIORITY_LOW = const(1)
PRIORITY_MEDIUM = const(2)
PRIORITY_HIGH = const(3)

# Test
TEST_CODE = const(0)
TEST_SETTINGS = const(1)
TEST_THERAPY = const(2)
TEST_JOURNAL = const(3)
TEST_MEMORY = const(4)
TEST_CLOCK = const(5)
TEST_WATCHDOG = const(6)
TEST_DRIVER = const(7)
TEST_TONE = const(8)
TEST_BATTERY = const(9)
TEST_SENSORS = const(10)

# TestResult
TEST_RESULT_NOT_RUN = const(0)
TEST_RESULT_PASSED = const(1)
TEST_RESULT_FAILED = const(2)
TEST_RESULT_NOT_FITTED = const(3)

# Sensor
SENSOR_BATTERY = const(0)
SENSOR_LEVEL = const(1)
SENSOR_PRESSURE = const(2)
SENSOR_TEMPERATURE = const(3)
SENSOR_AIR = const(4)
SENSOR_FLOW = const(5)

# SensorState
SENSOR_STATE_OK = const(0)
SENSOR_STATE_OPEN = const(1)
SENSOR_STATE_SHORT = const(2)
SENSOR_STATE_STUCK = const(3)

# RefillFlag
REFILL_FLAG_AGREES = const(0)
REFILL_FLAG_TOO_LITTLE = const(1)
REFILL_FLAG_TOO_MUCH = const(2)
REFILL_FLAG_NOT_JUDGED = const(3)

# Reason
REASON_DONE = const(0)
REASON_MALFORMED = const(1)
REASON_UNKNOWN_TYPE = const(2)
REASON_WRONG_DEVICE = const(3)
REASON_WRONG_VERSION = const(4)
REASON_ROLE = const(5)
REASON_TOO_LONG = const(6)
REASON_BUSY = const(7)
REASON_NO_SESSION = const(8)
REASON_BAD_TAG = const(9)
REASON_REPLAYED = const(10)
REASON_UNPAIRED = const(11)
REASON_SESSION_BUSY = const(12)
REASON_BACKING_OFF = const(13)
REASON_NOT_SUPPORTED = const(14)
REASON_COUNTER_USED = const(16)
REASON_COUNTER_OLD = const(17)
REASON_OUTCOME_UNKNOWN = const(18)
REASON_NO_STAGE = const(32)
REASON_STAGE_GAP = const(33)
REASON_STAGE_INCOMPLETE = const(34)
REASON_STAGE_HASH = const(35)
REASON_NOT_VERIFIED = const(36)
REASON_THERAPY_FORMAT = const(37)
REASON_THERAPY_FRACTION = const(38)
REASON_THERAPY_MODE = const(39)
REASON_RATE_BELOW_MINIMUM = const(40)
REASON_RATE_ABOVE_MAXIMUM = const(41)
REASON_STEP_VOLUME = const(42)
REASON_RESERVOIR_SIZE = const(43)
REASON_BOLUS_SIZE = const(44)
REASON_BOLUS_RATE = const(45)
REASON_CAP_MISSING = const(46)
REASON_CAP_BELOW_BASAL = const(47)
REASON_CAP_ABOVE_HARD = const(48)
REASON_CONCENTRATION = const(49)
REASON_LEVEL_ORDER = const(50)
REASON_FLEX_ORDER = const(51)
REASON_FLEX_RATE = const(52)
REASON_TITRATION_ORDER = const(53)
REASON_TITRATION_CHANGE = const(54)
REASON_BRIDGE = const(55)
REASON_CAP_WINDOW = const(56)
REASON_PATIENT_BOLUS = const(57)
REASON_PERIODIC_BOLUS = const(58)
REASON_PRIMING = const(59)
REASON_WEEKDAY = const(60)
REASON_READINGS_DIFFER = const(61)
REASON_DRUG_COUNT = const(62)
REASON_NOT_PROGRAMMED = const(64)
REASON_ALREADY_RUNNING = const(65)
REASON_ALREADY_STOPPED = const(66)
REASON_NOT_RUNNING = const(67)
REASON_SAFE_STATE = const(68)
REASON_RESERVOIR_EMPTY = const(69)
REASON_BOLUS_RUNNING = const(70)
REASON_BOLUS_OVER_MAXIMUM = const(71)
REASON_BOLUS_OVER_CAP = const(72)
REASON_BOLUS_ZERO = const(73)
REASON_NO_BOLUS = const(74)
REASON_LOCKOUT = const(75)
REASON_PATIENT_COUNT = const(76)
REASON_NO_PATIENT_BOLUS = const(77)
REASON_SQUARE_RUNNING = const(78)
REASON_SQUARE_OVER_MAXIMUM = const(79)
REASON_SQUARE_RATE = const(80)
REASON_NO_SQUARE = const(81)
REASON_PRIMING_NOT_ARMED = const(82)
REASON_PRIMING_VOLUME = const(83)
REASON_PRIMING_PATH = const(84)
REASON_STILL_RUNNING = const(85)
REASON_PROGRAM_DIFFERS = const(86)
REASON_AMOUNT_DIFFERS = const(87)
REASON_STEP_VOLUME_DIFFERS = const(88)
REASON_CLOCK_VALUE = const(96)
REASON_RECORD_GONE = const(97)
REASON_RECORD_FUTURE = const(98)
REASON_ALARM_PRESENT = const(99)
REASON_FLASH_FAILED = const(100)
REASON_SILENCE_TIME = const(101)
REASON_START_BLOCKED = const(102)
REASON_NO_ALARM = const(103)
REASON_IMPLANTED = const(104)
REASON_IMPLANT_DATE = const(105)
REASON_JOURNAL_OF_ANOTHER_VERSION = const(106)
REASON_CHAIN_DIFFERS = const(112)
REASON_TABLE_DIFFERS = const(113)
REASON_TOO_OFTEN = const(114)

# RecordKind
RECORD_BOOT = const(1)
RECORD_LEASE = const(2)
RECORD_CLOSE = const(3)
RECORD_START = const(16)
RECORD_STOP = const(17)
RECORD_BOLUS = const(18)
RECORD_BOLUS_END = const(19)
RECORD_BOLUS_CANCEL = const(20)
RECORD_REFILL = const(21)
RECORD_PATIENT_BOLUS = const(22)
RECORD_PERIODIC_BOLUS = const(23)
RECORD_SQUARE = const(24)
RECORD_SQUARE_END = const(25)
RECORD_SQUARE_CANCEL = const(26)
RECORD_PRIME_ARM = const(27)
RECORD_PRIME = const(28)
RECORD_SILENCE = const(29)
RECORD_REFILL_CHECK = const(30)
RECORD_PATENCY = const(31)
RECORD_COMMIT = const(32)
RECORD_STAGE_DROPPED = const(33)
RECORD_WORTH = const(34)
RECORD_DOSE_WINDOW = const(35)
RECORD_DOSE_WINDOWS_SET = const(36)
RECORD_CLOCK = const(48)
RECORD_IMPLANT = const(49)
RECORD_CALIBRATION = const(50)
RECORD_ALARM_RAISED = const(64)
RECORD_ALARM_CLEARED = const(65)
RECORD_MISSED = const(66)
RECORD_TORN = const(67)
RECORD_ALARM_ENDED = const(68)
RECORD_WATCHDOG_TEST = const(69)
RECORD_SELFTEST = const(70)
RECORD_SERVICE = const(71)
RECORD_ALARM_DISPLACED = const(72)
RECORD_CLEAR_LIST = const(73)
RECORD_STALL_RECOVERED = const(74)
RECORD_REFUSED = const(80)
RECORD_DISTRUSTED = const(81)
RECORD_STATE = const(96)
RECORD_IDENTITY = const(98)
RECORD_WINDOWS = const(99)
RECORD_PATIENT_TIMES = const(100)
RECORD_HOST_DONE = const(101)
RECORD_HOST_REFUSED = const(102)
RECORD_CALENDAR = const(103)
RECORD_MENDED = const(104)
RECORD_FILLED = const(105)
RECORD_LATCHED = const(106)
RECORD_PATH = const(107)
RECORD_PATH_WORTH = const(108)
RECORD_SEAL = const(109)
RECORD_COUNTER_FLOOR = const(110)
RECORD_PROCEDURE_BEGUN = const(112)
RECORD_PROCEDURE_ENDED = const(113)

# SealCause
SEAL_CAUSE_SECTOR = const(0)
SEAL_CAUSE_SESSION = const(1)

# Coding
CODING_WHOLE = const(0)
CODING_DELTA = const(1)

# StageDrop
STAGE_DROP_NEW_STAGE = const(0)
STAGE_DROP_TIMEOUT = const(1)
STAGE_DROP_ABORT = const(2)
STAGE_DROP_RESET = const(3)

# telemetry fields
FIELD_DELIVERY = const(0)
FIELD_WORST_ALARM = const(1)
FIELD_LOW_STEPS = const(2)
FIELD_HIGH_STEPS = const(3)
FIELD_MISSED_STEPS = const(4)
FIELD_RATE = const(5)
FIELD_BOLUS_LEFT = const(6)
FIELD_SQUARE_LEFT = const(7)
FIELD_RESERVOIR = const(8)
FIELD_BATTERY = const(9)
FIELD_LEASE_LEFT = const(10)
FIELD_JOURNAL_NEXT = const(11)
FIELD_BAD_FRAMES = const(12)
FIELD_ALARM_COUNT = const(13)

# fields of journal records
AT_SEQUENCE = const(0)
AT_DAY = const(1)
AT_MS = const(2)
AT_KIND = const(3)
AT_CODE = const(4)
AT_COPIED = const(9)
COMMAND_BASE = const(32)
AT_COMMAND_ROLE = const(4)
SHIFT_COMMAND_ROLE = const(0)
MASK_COMMAND_ROLE = const(7)
AT_COMMAND_HOST_HIGH = const(4)
SHIFT_COMMAND_HOST_HIGH = const(3)
MASK_COMMAND_HOST_HIGH = const(3)
AT_COMMAND_HOST = const(5)
AT_COMMAND_COUNTER = const(6)
AT_RESULT_HOST = const(5)
AT_RESULT_COUNTER = const(6)
AT_RESULT_LOW_STEPS = const(8)
AT_RESULT_HIGH_STEPS = const(9)
AT_BOOT_RESET_CAUSE = const(4)
AT_BOOT_BOOT_COUNT = const(5)
AT_BOOT_LOW_STEPS = const(6)
AT_BOOT_HIGH_STEPS = const(7)
AT_BOOT_FIRMWARE = const(8)
AT_BOOT_RECORDS_VOIDED = const(9)
AT_LEASE_TITRATION_DAY = const(4)
AT_LEASE_LOW_STEPS = const(5)
AT_LEASE_HIGH_STEPS = const(6)
AT_LEASE_ALLOWANCE_STEPS = const(7)
AT_LEASE_MISSED_STEPS = const(8)
AT_LEASE_RESERVOIR_STEPS = const(9)
AT_CLOSE_STOP_REASON = const(4)
AT_CLOSE_LOW_STEPS = const(5)
AT_CLOSE_HIGH_STEPS = const(6)
AT_CLOSE_MISSED_STEPS = const(8)
AT_CLOSE_RESERVOIR_STEPS = const(9)
AT_START_LOW_STEPS = const(8)
AT_START_HIGH_STEPS = const(9)
AT_STOP_LOW_STEPS = const(8)
AT_STOP_HIGH_STEPS = const(9)
AT_BOLUS_STEPS = const(7)
AT_BOLUS_LOW_STEPS = const(8)
AT_BOLUS_ALLOWANCE_STEPS = const(9)
AT_BOLUS_END_BOLUS_KIND = const(4)
SHIFT_BOLUS_END_BOLUS_KIND = const(0)
MASK_BOLUS_END_BOLUS_KIND = const(7)
AT_BOLUS_END_END_REASON = const(4)
SHIFT_BOLUS_END_END_REASON = const(3)
MASK_BOLUS_END_END_REASON = const(15)
AT_BOLUS_END_LOW_STEPS = const(5)
AT_BOLUS_END_HIGH_STEPS = const(6)
AT_BOLUS_END_DELIVERED_LOW_STEPS = const(7)
AT_BOLUS_END_DELIVERED_HIGH_STEPS = const(8)
AT_BOLUS_END_ASKED_STEPS = const(9)
AT_PATIENT_BOLUS_STEPS = const(7)
AT_PATIENT_BOLUS_LOW_STEPS = const(8)
AT_PATIENT_BOLUS_ALLOWANCE_STEPS = const(9)
AT_PERIODIC_BOLUS_LOW_STEPS = const(5)
AT_PERIODIC_BOLUS_HIGH_STEPS = const(6)
AT_PERIODIC_BOLUS_STEPS = const(7)
AT_PERIODIC_BOLUS_ALLOWANCE_STEPS = const(8)
AT_SQUARE_STEPS = const(7)
AT_SQUARE_DURATION_MS = const(8)
AT_SQUARE_ALLOWANCE_STEPS = const(9)
AT_SQUARE_END_END_REASON = const(4)
AT_SQUARE_END_LOW_STEPS = const(5)
AT_SQUARE_END_HIGH_STEPS = const(6)
AT_SQUARE_END_DELIVERED_LOW_STEPS = const(7)
AT_SQUARE_END_DELIVERED_HIGH_STEPS = const(8)
AT_SQUARE_END_ASKED_STEPS = const(9)
AT_SQUARE_CANCEL_STEPS_NOT_DELIVERED = const(7)
AT_SQUARE_CANCEL_LOW_STEPS = const(8)
AT_SQUARE_CANCEL_HIGH_STEPS = const(9)
AT_PRIME_ARM_STEPS = const(7)
AT_PRIME_ARM_PATH_VERSION = const(8)
AT_PRIME_ARM_LOW_STEPS = const(9)
AT_PRIME_STEPS = const(7)
AT_PRIME_PATH_VERSION = const(8)
AT_PRIME_ALLOWANCE_STEPS = const(9)
AT_PATENCY_STEPS = const(7)
AT_PATENCY_STEP_EVERY_MS = const(8)
AT_PATENCY_ALLOWANCE_STEPS = const(9)
AT_BOLUS_CANCEL_STEPS_NOT_DELIVERED = const(7)
AT_BOLUS_CANCEL_LOW_STEPS = const(8)
AT_BOLUS_CANCEL_HIGH_STEPS = const(9)
AT_REFILL_STEPS = const(7)
AT_REFILL_LOW_STEPS = const(8)
AT_REFILL_HIGH_STEPS = const(9)
AT_REFILL_CHECK_FLAG = const(4)
AT_REFILL_CHECK_EXPECTED_STEPS = const(5)
AT_REFILL_CHECK_WITHDRAWN_STEPS = const(6)
AT_REFILL_CHECK_DELIVERED_LOW_STEPS = const(7)
AT_REFILL_CHECK_DELIVERED_HIGH_STEPS = const(8)
AT_REFILL_CHECK_RATIO_PERMILLE = const(9)
AT_COMMIT_GENERATION = const(7)
AT_COMMIT_PROGRAM_HASH_HEAD = const(8)
AT_COMMIT_HIGH_STEPS = const(9)
AT_STAGE_DROPPED_DROP = const(4)
AT_STAGE_DROPPED_RECEIVED_BYTES = const(5)
AT_STAGE_DROPPED_LENGTH_BYTES = const(6)
AT_WORTH_PERIOD_BEGINS = const(4)
SHIFT_WORTH_PERIOD_BEGINS = const(0)
MASK_WORTH_PERIOD_BEGINS = const(1)
AT_WORTH_DRUG = const(4)
SHIFT_WORTH_DRUG = const(1)
MASK_WORTH_DRUG = const(3)
AT_WORTH_STEP_NG_NUM = const(5)
AT_WORTH_STEP_NG_DEN = const(6)
AT_WORTH_OLD_NG_NUM = const(7)
AT_WORTH_OLD_NG_DEN = const(8)
AT_WORTH_BRIDGE_STEPS = const(9)
AT_DOSE_WINDOW_DRUG = const(4)
AT_DOSE_WINDOW_MINUTES = const(5)
AT_DOSE_WINDOW_NG = const(6)
AT_DOSE_WINDOW_AGE_MINUTES = const(7)
AT_DOSE_WINDOWS_SET_ROWS = const(7)
AT_DOSE_WINDOWS_SET_LOW_STEPS = const(8)
AT_DOSE_WINDOWS_SET_HIGH_STEPS = const(9)
AT_CLOCK_LOCAL_DAYS = const(7)
AT_CLOCK_LOCAL_MS = const(8)
AT_IMPLANT_IMPLANT_DAYS = const(7)
AT_IMPLANT_LOW_STEPS = const(8)
AT_IMPLANT_HIGH_STEPS = const(9)
AT_CALIBRATION_CARRIED_ON = const(4)
AT_CALIBRATION_STEP_NL_NUM = const(5)
AT_CALIBRATION_STEP_NL_DEN = const(6)
AT_CALIBRATION_OLD_NL_NUM = const(7)
AT_CALIBRATION_OLD_NL_DEN = const(8)
AT_CALIBRATION_RESERVOIR_STEPS = const(9)
AT_ALARM_RAISED_ALARM = const(4)
AT_ALARM_RAISED_PRIORITY = const(5)
AT_ALARM_RAISED_DETAIL = const(6)
ENTRY_ALARM_CLEARED_ALARMS = const(6)
AT_ALARM_CLEARED_LOW_STEPS = const(8)
AT_ALARM_CLEARED_HIGH_STEPS = const(9)
AT_MISSED_MISSED_NOW_STEPS = const(5)
AT_MISSED_MISSED_STEPS = const(6)
AT_TORN_SLOTS_VOIDED = const(5)
AT_ALARM_ENDED_ALARM = const(4)
AT_SILENCE_SILENCE_MS = const(7)
AT_SILENCE_LOW_STEPS = const(8)
AT_SILENCE_HIGH_STEPS = const(9)
AT_WATCHDOG_TEST_TIMEOUT_MS = const(5)
AT_SELFTEST_FAILED = const(5)
AT_SELFTEST_DETAIL = const(6)
AT_SELFTEST_PASSED = const(7)
AT_SERVICE_REPLACEMENT_DAY = const(5)
AT_SERVICE_REPLACEMENT_MS = const(6)
AT_SERVICE_REPLACEMENT_LOCAL_DAYS = const(7)
AT_SERVICE_IMPLANT_DAYS = const(8)
AT_SERVICE_BATTERY_MV = const(9)
AT_ALARM_DISPLACED_ALARM = const(4)
AT_ALARM_DISPLACED_BY_ALARM = const(5)
ENTRY_CLEAR_LIST_ALARMS = const(0)
AT_STALL_RECOVERED_MISSED_STEPS = const(5)
AT_STALL_RECOVERED_STALLED_MS = const(6)
AT_REFUSED_REASON = const(4)
AT_REFUSED_HOST = const(5)
AT_REFUSED_COUNTER = const(6)
AT_REFUSED_MESSAGE = const(7)
SHIFT_REFUSED_MESSAGE = const(0)
MASK_REFUSED_MESSAGE = const(255)
AT_REFUSED_HOST_HIGH = const(7)
SHIFT_REFUSED_HOST_HIGH = const(8)
MASK_REFUSED_HOST_HIGH = const(3)
AT_REFUSED_LOW_STEPS = const(8)
AT_REFUSED_HIGH_STEPS = const(9)
AT_DISTRUSTED_BAD_TAGS = const(5)
AT_DISTRUSTED_REPLAYS = const(6)
AT_DISTRUSTED_SESSIONLESS = const(7)
AT_COUNTER_FLOOR_COUNTER = const(5)
AT_STATE_STOP_REASON = const(4)
SHIFT_STATE_STOP_REASON = const(0)
MASK_STATE_STOP_REASON = const(15)
AT_STATE_RUNNING = const(4)
SHIFT_STATE_RUNNING = const(4)
MASK_STATE_RUNNING = const(1)
AT_STATE_LOW_STEPS = const(5)
AT_STATE_HIGH_STEPS = const(6)
AT_STATE_GENERATION = const(7)
AT_STATE_ALARM_COUNT = const(8)
AT_STATE_RESERVOIR_STEPS = const(9)
AT_HOST_DONE_COMMAND = const(4)
SHIFT_HOST_DONE_COMMAND = const(0)
MASK_HOST_DONE_COMMAND = const(63)
AT_HOST_DONE_HOST_HIGH = const(4)
SHIFT_HOST_DONE_HOST_HIGH = const(6)
MASK_HOST_DONE_HOST_HIGH = const(3)
AT_HOST_DONE_HOST = const(5)
AT_HOST_DONE_COUNTER = const(6)
AT_HOST_DONE_ACCEPTED = const(7)
AT_HOST_DONE_LOW_STEPS = const(8)
AT_HOST_DONE_HIGH_STEPS = const(9)
AT_HOST_REFUSED_REASON = const(4)
AT_HOST_REFUSED_HOST = const(5)
AT_HOST_REFUSED_COUNTER = const(6)
AT_HOST_REFUSED_MESSAGE = const(7)
SHIFT_HOST_REFUSED_MESSAGE = const(0)
MASK_HOST_REFUSED_MESSAGE = const(255)
AT_HOST_REFUSED_HOST_HIGH = const(7)
SHIFT_HOST_REFUSED_HOST_HIGH = const(8)
MASK_HOST_REFUSED_HOST_HIGH = const(3)
AT_HOST_REFUSED_LOW_STEPS = const(8)
AT_HOST_REFUSED_HIGH_STEPS = const(9)
AT_CALENDAR_CLOCK_KNOWN = const(4)
AT_CALENDAR_LOCAL_DAYS = const(5)
AT_CALENDAR_LOCAL_MS = const(6)
AT_CALENDAR_PATTERN_LAG_MS = const(7)
AT_CALENDAR_FAULT_RECORDS = const(8)
AT_CALENDAR_COMMIT_UNSURE_STEPS = const(9)
AT_MENDED_COPY = const(4)
AT_MENDED_GENERATION = const(5)
AT_IDENTITY_BOLUS_KIND = const(4)
SHIFT_IDENTITY_BOLUS_KIND = const(0)
MASK_IDENTITY_BOLUS_KIND = const(7)
AT_IDENTITY_CLOCK_KNOWN = const(4)
SHIFT_IDENTITY_CLOCK_KNOWN = const(3)
MASK_IDENTITY_CLOCK_KNOWN = const(1)
AT_IDENTITY_BOOT_COUNT = const(5)
AT_IDENTITY_PROGRAM_HASH_HEAD = const(6)
AT_IDENTITY_BOLUS_LEFT_STEPS = const(7)
AT_IDENTITY_SQUARE_LEFT_STEPS = const(8)
AT_IDENTITY_COMMIT_HIGH_STEPS = const(9)
AT_WINDOWS_PLACE = const(4)
SHIFT_WINDOWS_PLACE = const(0)
MASK_WINDOWS_PLACE = const(15)
AT_WINDOWS_DRUG = const(4)
SHIFT_WINDOWS_DRUG = const(4)
MASK_WINDOWS_DRUG = const(15)
AT_WINDOWS_NG = const(5)
AT_FILLED_CONTENT_STEPS = const(5)
AT_FILLED_LOW_STEPS = const(6)
AT_FILLED_HIGH_STEPS = const(7)
AT_FILLED_FILLED_DAY = const(8)
AT_PATIENT_TIMES_PLACE = const(4)
AT_PATIENT_TIMES_AGE_MS = const(5)
AT_LATCHED_PLACE = const(4)
ENTRY_LATCHED_ALARMS = const(0)
AT_PATH_CARRIED_ON = const(4)
AT_PATH_PATH_VERSION = const(5)
AT_PATH_FILLED_NL = const(6)
AT_PATH_VOLUME_NL = const(7)
AT_PATH_OLD_LEFT_STEPS = const(8)
AT_PATH_WORTH_DRUG = const(4)
AT_PATH_WORTH_NG_NUM = const(5)
AT_PATH_WORTH_NG_DEN = const(6)
AT_SEAL_SEAL_CAUSE = const(4)
AT_SEAL_MAC = const(5)
AT_SEAL_MAC_TAIL = const(9)
SHIFT_SEAL_MAC_TAIL = const(0)
MASK_SEAL_MAC_TAIL = const(255)
AT_SEAL_KEY_NUMBER = const(9)
SHIFT_SEAL_KEY_NUMBER = const(8)
MASK_SEAL_KEY_NUMBER = const(4194303)
AT_PROCEDURE_BEGUN_PROCEDURE = const(4)
AT_PROCEDURE_BEGUN_ID = const(5)
AT_PROCEDURE_BEGUN_VALUE = const(9)
AT_PROCEDURE_ENDED_RESULT = const(4)
AT_PROCEDURE_ENDED_ID = const(5)
AT_PROCEDURE_ENDED_VALUE = const(9)

# bytes of shared structs
REJECTED_BYTES = const(6)
OUTCOME_BYTES = const(21)
COMMAND_BYTES = const(4)

# least role by message type
ROLES = (
    b"\xff\x00\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\x03\x03\x03\x03\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\x02\x00\x02\x02\x02\x02\x02\x02\x02\x02\x03\x03\x02\x02\x03\xff"
    b"\x02\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\x01\x01\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\x01\x01\x01\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
)
CHANGES_STATE = b"\x23\x30\x31\x32\x33\x34\x36\x37\x38\x39\x3a\x3b\x3c\x3d\x3e\x40\x41"  # message types

# what each alarm is and does, by its number
ALARM_TRAITS = (
    b"\x00\x50\x32\xb1\xb1\xb1\xa0\xe0\x10\xb1\x20\x90\xb1\xb0\xb1\xa0"
    b"\xb1\xf0\xa0\xb1\xb1\xa0\xa0\x32\xb2\x18\xb1\xb1\xb1\xb4\x32"
)

# what can be subscribed, and the checksum that names it
TELEMETRY_TEXT = (
    b'delivery - Delivery\n'
    b'worst_alarm - Alarm\n'
    b'low_steps steps u32\n'
    b'high_steps steps u32\n'
    b'missed_steps steps u32\n'
    b'rate steps/day u32\n'
    b'bolus_left steps u32\n'
    b'square_left steps u32\n'
    b'reservoir steps u32\n'
    b'battery mV u32\n'
    b'lease_left steps u32\n'
    b'journal_next records u32\n'
    b'bad_frames frames u32\n'
    b'alarm_count alarms u32\n'
)
TELEMETRY_SUM = b"\x36\x18\xad\xd7"

def role_of(message_type):
    # least role that may send it, -1 for nobody: what is not in the table is denied
    role = ROLES[message_type] if 0 <= message_type < 128 else 255
    return -1 if role == 255 else role

def _put(buf, off, data):
    end = off + len(data)
    buf[off:end] = data
    return end

def _room(buf, end):
    if end > len(buf):
        raise ValueError("no room")

def _exact(data, length):
    if len(data) != length:
        raise ValueError("wrong length")

def _at_most(data, length):
    if len(data) > length:
        raise ValueError("too long")

def _need(left):
    if left < 0:
        raise ValueError("too short")

def _pack(buf, off, form, *fields):
    end = off + calcsize(form)
    _room(buf, end)
    pack_into(form, buf, off, *fields)
    return end

def _unpack(buf, off, end, form):
    _need(end - off - calcsize(form))
    return unpack_from(form, buf, off)

def alarm_traits(alarm):
    # a number that this firmware does not know is urgent, and stops nothing
    return ALARM_TRAITS[alarm] if alarm < len(ALARM_TRAITS) else TRAIT_PRIORITY | TRAIT_NEEDS_CLEARING

# A record is a list or tuple of (sequence, day, ms, kind, code, five words). AT_<kind>_<field> is the place of a field;
# part of a word is record[AT_x] >> SHIFT_x & MASK_x. AT_COMMAND_x holds for the records of all commands.
# Alarms stand three in a word, ten bits each (number, and bit 8 where one escalated): from entry ENTRY_x on.
def entry_at(record, entry):
    return record[5 + entry // 3] >> entry % 3 * 10 & 1023

def put_entry(record, entry, value):
    record[5 + entry // 3] |= value << entry % 3 * 10

def id_low(data):
    # low 30 bits of the first four bytes: of a host id, or the head of a program hash
    return data[0] | data[1] << 8 | data[2] << 16 | (data[3] & 0x3F) << 24

def id_high(data):
    return data[3] >> 6

def id_bytes(low, high):
    return bytes((low & 0xFF, low >> 8 & 0xFF, low >> 16 & 0xFF, low >> 24 | high << 6))

def pack_header(buf, off, version, type, device, session, sequence, length):
    _exact(device, 4)
    _exact(session, 4)
    return _pack(buf, off, "<BB4s4sIH", version, type, device, session, sequence, length)

def unpack_header(buf, off, end):
    return _unpack(buf, off, end, "<BB4s4sIH")

def pack_rejected(buf, off, type, reason, detail):
    return _pack(buf, off, "<BBI", type, reason, detail)

def pack_outcome(buf, off, counter, reason, accepted, low_steps, high_steps, record):
    return _pack(buf, off, "<IBIIII", counter, reason, accepted, low_steps, high_steps, record)

def read_program(into, buf, off, end):
    _need(end - off - 10)
    into.format, into.therapy_id, n = unpack_from("<B8sB", buf, off)
    off += 10
    _need(end - off - 17 * n)
    into.drugs = [unpack_from("<BIIII", buf, off + 17 * i) for i in range(n)]
    off += 17 * n
    _need(end - off - 2)
    n = unpack_from("<H", buf, off)[0]
    off += 2
    _need(end - off - n)
    into.drug_names = bytes(buf[off : off + n])
    off += n
    _need(end - off - 132)
    (
        into.step_nl_num, into.step_nl_den, into.mode, into.basal_num, into.basal_den, into.minimum_num,
        into.minimum_den, into.bolus_num, into.bolus_den, into.bolus_steps_max, into.reservoir_steps, into.low_steps,
        into.empty_steps, into.stability_days, into.on_low, into.on_cap, into.square_steps_max, into.patient_steps,
        into.patient_num, into.patient_den, into.patient_lockout_ms, into.patient_per_day, into.periodic_steps,
        into.periodic_ms, into.periodic_num, into.periodic_den, into.prime_steps_max, into.prime_num, into.prime_den,
        into.path_version, into.path_nl, into.stall_retry_minutes, into.bridge_steps, into.bridge_num, into.bridge_den,
        into.change_permille_max, into.weekdays, n
    ) = unpack_from("<IIBIIIIIIIIIIHBBIIIIIBIIIIIIIHIHIIIH7sB", buf, off)
    off += 132
    _need(end - off - 7 * n)
    into.caps = [unpack_from("<BHI", buf, off + 7 * i) for i in range(n)]
    off += 7 * n
    _need(end - off - 1)
    n = unpack_from("<B", buf, off)[0]
    off += 1
    _need(end - off - 8 * n)
    into.rates = [unpack_from("<II", buf, off + 8 * i) for i in range(n)]
    off += 8 * n
    _need(end - off - 2)
    n = unpack_from("<H", buf, off)[0]
    off += 2
    _need(end - off - 4 * n)
    into.flex = [unpack_from("<BHB", buf, off + 4 * i) for i in range(n)]
    off += 4 * n
    _need(end - off - 1)
    n = unpack_from("<B", buf, off)[0]
    off += 1
    _need(end - off - 3 * n)
    into.titration = [unpack_from("<HB", buf, off + 3 * i) for i in range(n)]

def unpack_command(buf, off, end):
    return _unpack(buf, off, end, "<I")

def unpack_hello_request(buf, off, end):
    return _unpack(buf, off, end, "<BB")

def pack_hello_reply(buf, off, protocol, schema_hash, device_id, firmware_major, firmware_minor, firmware_patch,
    boot_count, reset_cause, body_bytes_max, heap_free_bytes, board, runtime, profile):
    _exact(schema_hash, 8)
    _exact(device_id, 4)
    _at_most(board, 255)
    _at_most(runtime, 255)
    _at_most(profile, 255)
    _room(buf, off + 30 + len(board) + len(runtime) + len(profile))
    pack_into("<B8s4sBBBIBHIB", buf, off, protocol, schema_hash, device_id, firmware_major, firmware_minor,
        firmware_patch, boot_count, reset_cause, body_bytes_max, heap_free_bytes, len(board))
    off = _put(buf, off + 28, board)
    pack_into("<B", buf, off, len(runtime))
    off = _put(buf, off + 1, runtime)
    pack_into("<B", buf, off, len(profile))
    return _put(buf, off + 1, profile)

def unpack_session_open_request(buf, off, end):
    return _unpack(buf, off, end, "<B4s16s")

def pack_session_open_reply(buf, off, nonce, boot_count, idle_ms, counter, journal_next, chain):
    _exact(nonce, 16)
    _exact(chain, 8)
    return _pack(buf, off, "<16sIIII8s", nonce, boot_count, idle_ms, counter, journal_next, chain)

def pack_session_close_reply(buf, off, journal_next, chain):
    _exact(chain, 8)
    return _pack(buf, off, "<I8s", journal_next, chain)

def pack_status_reply(buf, off, *, delivery, stop_reason, mode, alarms, generation, therapy_id, day, ms, clock_known,
    local_days, local_ms, low_steps, high_steps, missed_steps, rate_num, rate_den, bolus_left_steps, reservoir_steps,
    reservoir_known, battery_mv, journal_first, journal_next, boot_count, bad_frames, staged_bytes, bolus_kind,
    square_left_steps, lockout_left_ms, patient_left, bridge_left_steps, pattern_lag_ms, titration_day, window_ng,
    priority, silenced_ms, empty_minutes, stopped_ms, paired, session_role, session_left_ms, bad_tags, replays,
    sessionless, step_nl_num, step_nl_den, path_nl, path_filled_nl, old_left_steps):
    _exact(therapy_id, 8)
    _at_most(alarms, 255)
    _at_most(window_ng, 255)
    _room(buf, off + 149 + len(alarms) + 11 * len(window_ng))
    pack_into("<BBBB", buf, off, delivery, stop_reason, mode, len(alarms))
    off = _put(buf, off + 4, alarms)
    pack_into("<I8sHIBHIIIIIIIIBHIIIIHBIIBIIBB", buf, off, generation, therapy_id, day, ms, clock_known, local_days,
        local_ms, low_steps, high_steps, missed_steps, rate_num, rate_den, bolus_left_steps, reservoir_steps,
        reservoir_known, battery_mv, journal_first, journal_next, boot_count, bad_frames, staged_bytes, bolus_kind,
        square_left_steps, lockout_left_ms, patient_left, bridge_left_steps, pattern_lag_ms, titration_day,
        len(window_ng))
    off += 94
    for row in window_ng:
        pack_into("<BHII", buf, off, *row)
        off += 11
    pack_into("<BIIIBBIIIIIIIII", buf, off, priority, silenced_ms, empty_minutes, stopped_ms, paired, session_role,
        session_left_ms, bad_tags, replays, sessionless, step_nl_num, step_nl_den, path_nl, path_filled_nl,
        old_left_steps)
    return off + 51

def unpack_program_begin_request(buf, off, end):
    return _unpack(buf, off, end, "<H16s")

def pack_program_begin_reply(buf, off, length):
    return _pack(buf, off, "<H", length)

def unpack_program_chunk_request(buf, off, end):
    _need(end - off - 4)
    _run0 = unpack_from("<HH", buf, off)
    n = _run0[-1]
    off += 4
    _need(end - off - n)
    data = bytes(buf[off : off + n])
    return _run0[:-1] + (data,)

def pack_program_verify_reply(buf, off, therapy_id, program_hash, mode, daily_steps, daily_volume_nl, refill_days,
    refill_limit, bolus_steps_max, bridge_ms, drugs, drug_names, caps):
    _exact(therapy_id, 8)
    _exact(program_hash, 16)
    _at_most(drugs, 255)
    _at_most(drug_names, 65535)
    _at_most(caps, 255)
    _room(buf, off + 48 + 21 * len(drugs) + len(drug_names) + 7 * len(caps))
    pack_into("<8s16sBIIHBIIB", buf, off, therapy_id, program_hash, mode, daily_steps, daily_volume_nl, refill_days,
        refill_limit, bolus_steps_max, bridge_ms, len(drugs))
    off += 45
    for row in drugs:
        pack_into("<BIIIII", buf, off, *row)
        off += 21
    pack_into("<H", buf, off, len(drug_names))
    off = _put(buf, off + 2, drug_names)
    pack_into("<B", buf, off, len(caps))
    off += 1
    for row in caps:
        pack_into("<BHI", buf, off, *row)
        off += 7
    return off

def unpack_program_commit_request(buf, off, end):
    return _unpack(buf, off, end, "<I16s")

def pack_program_abort_reply(buf, off, dropped):
    return _pack(buf, off, "<B", dropped)

def unpack_program_read_request(buf, off, end):
    return _unpack(buf, off, end, "<H")

def pack_program_read_reply(buf, off, generation, length, offset, data):
    _at_most(data, 65535)
    _room(buf, off + 10 + len(data))
    pack_into("<IHHH", buf, off, generation, length, offset, len(data))
    return _put(buf, off + 10, data)

def unpack_bolus_request(buf, off, end):
    return _unpack(buf, off, end, "<II8sI")

def unpack_refill_request(buf, off, end):
    return _unpack(buf, off, end, "<IIIII")

def unpack_alarm_clear_request(buf, off, end):
    _need(end - off - 5)
    _run0 = unpack_from("<IB", buf, off)
    n = _run0[-1]
    off += 5
    _need(end - off - n)
    alarms = bytes(buf[off : off + n])
    return _run0[:-1] + (alarms,)

def unpack_square_bolus_request(buf, off, end):
    return _unpack(buf, off, end, "<III8sI")

def unpack_prime_arm_request(buf, off, end):
    return _unpack(buf, off, end, "<IIH")

def unpack_alarm_silence_request(buf, off, end):
    return _unpack(buf, off, end, "<II")

def unpack_dose_windows_set_request(buf, off, end):
    _need(end - off - 5)
    _run0 = unpack_from("<IB", buf, off)
    n = _run0[-1]
    off += 5
    _need(end - off - 9 * n)
    rows = [unpack_from("<BHIH", buf, off + 9 * i) for i in range(n)]
    return _run0[:-1] + (rows,)

def unpack_clock_set_request(buf, off, end):
    return _unpack(buf, off, end, "<IHI")

def unpack_implant_request(buf, off, end):
    return _unpack(buf, off, end, "<IH")

def pack_journal_info_reply(buf, off, first, next, chain):
    _exact(chain, 8)
    return _pack(buf, off, "<II8s", first, next, chain)

def unpack_journal_read_request(buf, off, end):
    return _unpack(buf, off, end, "<IB")

def pack_journal_read_reply(buf, off, first, records):
    _at_most(records, 65535)
    _room(buf, off + 6 + len(records))
    pack_into("<IH", buf, off, first, len(records))
    return _put(buf, off + 6, records)

def unpack_journal_stream_request(buf, off, end):
    return _unpack(buf, off, end, "<BIIB8s")

def pack_journal_stream_reply(buf, off, stream, first, chain, data):
    _exact(chain, 8)
    _at_most(data, 65535)
    _room(buf, off + 15 + len(data))
    pack_into("<BI8sH", buf, off, stream, first, chain, len(data))
    return _put(buf, off + 15, data)

def pack_selftest_reply(buf, off, boot_ms, retest_ms, results):
    _at_most(results, 255)
    _room(buf, off + 9 + 6 * len(results))
    pack_into("<IIB", buf, off, boot_ms, retest_ms, len(results))
    off += 9
    for row in results:
        pack_into("<BBI", buf, off, *row)
        off += 6
    return off

def pack_counters_reply(buf, off, up_minutes, steps, wakes_delivery, wakes_sensors, wakes_watchdog, wakes_link,
    wakes_other, tones, records):
    return _pack(buf, off, "<IIIIIIIII", up_minutes, steps, wakes_delivery, wakes_sensors, wakes_watchdog, wakes_link,
        wakes_other, tones, records)

def pack_memory_reply(buf, off, routine_first, routine_next, routine_sectors, routine_opened, routine_voids,
    routine_damaged, fault_first, fault_next, fault_sectors, fault_opened, fault_voids, fault_damaged,
    program_generation, program_mended):
    return _pack(buf, off, "<IIHIHHIIHIHHIH", routine_first, routine_next, routine_sectors, routine_opened,
        routine_voids, routine_damaged, fault_first, fault_next, fault_sectors, fault_opened, fault_voids,
        fault_damaged, program_generation, program_mended)

def pack_sensors_reply(buf, off, sensors):
    _at_most(sensors, 255)
    _room(buf, off + 1 + 8 * len(sensors))
    pack_into("<B", buf, off, len(sensors))
    off += 1
    for row in sensors:
        pack_into("<BBHI", buf, off, *row)
        off += 8
    return off

def pack_service_reply(buf, off, implant_days, cap_days, replacement_days, replacement_left_ms, replacement_left_days,
    filled_age_days):
    return _pack(buf, off, "<IIIIII", implant_days, cap_days, replacement_days, replacement_left_ms,
        replacement_left_days, filled_age_days)

def pack_telemetry_table_reply(buf, off, checksum, text):
    _exact(checksum, 4)
    _at_most(text, 65535)
    _room(buf, off + 6 + len(text))
    pack_into("<4sH", buf, off, checksum, len(text))
    return _put(buf, off + 6, text)

def unpack_telemetry_subscribe_request(buf, off, end):
    return _unpack(buf, off, end, "<4sIII")

def pack_telemetry_subscribe_reply(buf, off, number, skipped, day, ms, values):
    _at_most(values, 255)
    _room(buf, off + 15 + 4 * len(values))
    pack_into("<IIHIB", buf, off, number, skipped, day, ms, len(values))
    off += 15
    for row in values:
        pack_into("<I", buf, off, *row)
        off += 4
    return off

# the same layout under another name
pack_program_chunk_reply = pack_program_begin_reply
unpack_start_request = unpack_command
unpack_stop_request = unpack_command
unpack_bolus_cancel_request = unpack_command
unpack_outcome_request = unpack_command
unpack_patient_bolus_request = unpack_command
unpack_square_cancel_request = unpack_command
unpack_prime_request = unpack_bolus_request
unpack_patency_request = unpack_alarm_silence_request
pack_fault_info_reply = pack_journal_info_reply
unpack_fault_read_request = unpack_journal_read_request
pack_fault_read_reply = pack_journal_read_reply
