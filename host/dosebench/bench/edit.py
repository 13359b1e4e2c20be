"""Writing a calibration into a bench file: its other lines, comments and all, stay as they are."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from dosebench.base import toml_file
from dosebench.base.errors import DosebenchError
from dosebench.base.units import format_amount
from dosebench.bench.file import Bench, from_file
from dosebench.bench.schema import CalibrationStep

_COMMENT = """
# Measured by `dosebench calibrate`. `dosebench flash --update --bench` with this file carries it to the board.
"""


def write_calibration(bench: Bench, step: CalibrationStep) -> Bench:
    """Add a calibration to the file of `bench`: its step volume counts from now on.

    The new text replaces the file in one act, once it was read back and says what it should.

    Raises:
        DosebenchError: The file was changed since it was read, cannot be written, or would not be right afterwards.
    """
    path = Path(bench.file.name)
    text = path.read_text(encoding="utf-8")
    if toml_file.parse_toml(text, bench.file.name).data != bench.file.data:
        raise DosebenchError(f"{path} was changed meanwhile", hint="run the calibration again, or --from-csv")
    changed = edit_text(text, bench.file, step)
    found = from_file(toml_file.parse_toml(changed, bench.file.name), [path.parent])
    calibration = found.tables.calibration
    rest = {key: value for key, value in found.file.data.items() if key != "calibration"}
    before = {key: value for key, value in bench.file.data.items() if key != "calibration"}
    if calibration is None or calibration.history[-1] != step or rest != before:
        raise DosebenchError(f"{path} is written in a way in which a calibration cannot be added")
    _replace_file(path, changed)
    return found


def edit_text(text: str, file: toml_file.TomlFile, step: CalibrationStep) -> str:
    """The text with the calibration at its end, and the step volume of its table replaced where it has one."""
    told = format_amount(step.step_volume, "uL", 9)
    if "calibration" in file.data:
        lines = text.splitlines(keepends=True)
        at = file.find_line(("calibration", "step_volume")) - 1
        lines[at] = re.sub(r"=\s*(\"[^\"]*\"|'[^']*')", f'= "{told}"', lines[at], count=1)
        text = "".join(lines)
    else:
        text = f'{text.rstrip()}\n{_COMMENT}[calibration]\nstep_volume = "{told}"\n'
    return f"{text.rstrip()}\n\n{_format_entry(step)}"


def _format_entry(step: CalibrationStep) -> str:
    volumes = {
        name: format_amount(getattr(step, name), "uL", 9) for name in ("step_volume", "uncertainty", "spread", "before")
    }
    told = {"measured": step.measured, **volumes, "method": step.method}
    lines = [f'{name} = "{value}"' for name, value in told.items()]
    lines += [f"runs = {step.runs}", f"steps = {step.steps}"]
    return "\n".join(["[[calibration.history]]", *lines]) + "\n"


def _replace_file(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(path.stat().st_mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
