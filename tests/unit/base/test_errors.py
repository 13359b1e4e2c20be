"""The root of every error that dosebench raises on purpose."""

from __future__ import annotations

import importlib
import pkgutil

import dosebench
import pytest
from dosebench.base.errors import DosebenchError


def test_an_error_has_its_text_a_hint_and_an_exit_code() -> None:
    error = DosebenchError("what happened", hint="what to do")
    assert (str(error), error.hint, error.exit_code) == ("what happened", "what to do", 1)
    assert DosebenchError("alone").hint is None


def _all_errors() -> set[type[Exception]]:
    """Every class of an error that a module of the host defines."""
    optional = ("cli", "urlhandlers", "_child", "__main__")
    for module in pkgutil.walk_packages(dosebench.__path__, "dosebench."):
        if not any(word in module.name for word in optional):
            importlib.import_module(module.name)
    found, ahead = set(), [Exception]
    while ahead:
        for one in ahead.pop().__subclasses__():
            if one not in found and one.__module__.startswith("dosebench."):
                found.add(one)
            ahead.append(one)
    return found


def test_every_public_error_of_the_host_is_one() -> None:
    pytest.importorskip("mpremote")
    others = {one.__name__ for one in _all_errors() if not issubclass(one, DosebenchError)}
    # Never leaves its module: the download then reads batches instead.
    assert others == {"MisfitError"}


def test_exit_codes_are_those_of_the_page() -> None:
    codes = {one.exit_code for one in _all_errors() if issubclass(one, DosebenchError)}
    assert codes <= {1, 3}
