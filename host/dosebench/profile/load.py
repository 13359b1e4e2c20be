"""Pump profiles: what a pump is, as data.

A profile says how large a step is, how fast the pump may go, what no regimen can raise, and what the reservoir, the
battery and the memory are. Profiles of this package lie in `library/`; others are found in directories that the caller
names. `Profile.device_config` is what a pump is given when it is flashed.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from dosebench.base import toml_file
from dosebench.base.errors import DosebenchError
from dosebench.base.file_kinds import of_another_kind
from dosebench.base.toml_file import Key, Problem, TomlFile
from dosebench.profile.model import Profile, ProfileError
from dosebench.profile.rules import find_contradictions

_EXTENDS_MAX: Final = 4


def builtin_names() -> list[str]:
    """Names of the profiles that come with the package, sorted."""
    files = resources.files("dosebench.profile").joinpath("library").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_profile(name: str, directories: Sequence[Path] = ()) -> Profile:
    """Load a profile by its name.

    Args:
        name: Name of a file without ".toml", such as "implant-40".
        directories: Where to look before the profiles of the package, in order.

    Raises:
        DosebenchError: No such profile; names the nearest.
        ProfileError: The file has mistakes.
    """
    file = _merge_profile(name, directories, _EXTENDS_MAX)
    profile = _validate_profile(file)
    if profile.name != name:
        problem = file.make_problem(("name",), f'is "{profile.name}", but the file is called "{name}"', "name")
        raise ProfileError(file.name, [problem])
    return profile


def load_file(path: Path) -> Profile:
    """Load a profile from a file of its own; what it extends is looked for beside it and in the package."""
    own = toml_file.read_toml(path)
    return _validate_profile(_extend_base(own, [path.parent], _EXTENDS_MAX))


def _merge_profile(name: str, directories: Sequence[Path], depth: int) -> TomlFile:
    return _extend_base(_find_profile(name, directories), directories, depth)


def _extend_base(own: TomlFile, directories: Sequence[Path], depth: int) -> TomlFile:
    data = dict(own.data)
    base_name = data.pop("extends", None)
    if base_name is None:
        return own
    if depth == 0 or not isinstance(base_name, str):
        raise ProfileError(own.name, [own.make_problem(("extends",), "must name a profile, at most 4 deep", "extends")])
    base = _merge_profile(base_name, directories, depth - 1)
    for key, value in base.data.items():
        if key in ("name", "title"):
            continue
        data[key] = _overlay_table(value, data[key]) if key in data else value
    return TomlFile(own.name, data, own.lines)


def _overlay_table(base: Any, own: Any) -> Any:
    """A table of a profile with what its base has besides, at any depth; anything else is the profile's own."""
    if not (isinstance(base, dict) and isinstance(own, dict)):
        return own
    return base | {key: _overlay_table(base[key], value) if key in base else value for key, value in own.items()}


def _find_profile(name: str, directories: Sequence[Path]) -> TomlFile:
    for directory in directories:
        path = directory / f"{name}.toml"
        if path.is_file() and path.parent == directory:
            return toml_file.read_toml(path)
    names = builtin_names()
    if name in names:
        text = resources.files("dosebench.profile").joinpath("library", f"{name}.toml").read_text(encoding="utf-8")
        return toml_file.parse_toml(text, f"{name}.toml")
    near = difflib.get_close_matches(name, names, n=1)
    guess = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(names)}"
    raise DosebenchError(f'no pump profile "{name}"; {guess}')


def _validate_profile(file: TomlFile) -> Profile:
    if other := of_another_kind(file, "profile"):
        raise ProfileError(file.name, [other])
    try:
        profile = Profile.model_validate(file.data)
    except ValidationError as error:
        raise ProfileError(file.name, toml_file.from_validation(file, error, partial(_report_unknown, file))) from None
    faults = [file.make_problem(key, message, "contradiction") for key, message in find_contradictions(profile)]
    if faults:
        raise ProfileError(file.name, faults)
    return profile


def _report_unknown(file: TomlFile, key: Key) -> Problem:
    return file.make_problem(key, toml_file.unknown_key(str(key[-1]), _known_keys(key[:-1])), "unknown-key")


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _known_keys(table: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Profile
    for name in table:
        annotation = model.model_fields[name].annotation
        model = next(kind for kind in (annotation, *get_args(annotation)) if _is_table(kind))
    return [field.alias or name for name, field in model.model_fields.items()] + ([] if table else ["extends"])
