"""An integer that refuses to leave the small ints of a 32-bit MicroPython."""

from __future__ import annotations

from typing import Any

SMALL_MAX = (1 << 30) - 1


class SmallInt(int):
    """Behaves like int; any result outside +-(2^30 - 1) raises OverflowError."""

    def __new__(cls, value: int) -> SmallInt:
        if not -SMALL_MAX <= int(value) <= SMALL_MAX:
            raise OverflowError(f"{int(value)} is no small int on a 32-bit port")
        return super().__new__(cls, value)


def _checked(name: str) -> Any:
    plain = getattr(int, name)

    def operate(self: SmallInt, *others: int) -> Any:
        result = plain(self, *others)
        if result is NotImplemented:
            return result
        if isinstance(result, tuple):
            return tuple(SmallInt(part) for part in result)
        return SmallInt(result)

    return operate


for _name in ("add", "sub", "mul", "floordiv", "mod", "divmod", "lshift", "rshift", "and", "or", "xor"):
    setattr(SmallInt, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(SmallInt, f"__r{_name}__", _checked(f"__r{_name}__"))
setattr(SmallInt, "__neg__", _checked("__neg__"))  # noqa: B010 - beside the loop above
