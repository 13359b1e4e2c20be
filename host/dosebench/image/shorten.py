"""Short names for what only one class, one module or one function calls by its name.

MicroPython keeps each name once, but every different one takes a place in a table and its text. A private attribute
(`self._held_ms`) means something in its own class alone, so the first of each class can have the same name as the first
of any other; so can the private functions of a module and the arguments of a function. Nothing else is touched here:
what is public keeps its name until modules become one file (`single_file.py`).
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from keyword import iskeyword
from string import ascii_lowercase


def shorten_names(trees: Mapping[str, ast.Module]) -> None:
    """Rename in place. `trees` is the whole program: what it does not call by keyword or from outside, nobody does."""
    reached = _reached_names(trees.values())
    families = _class_families(trees.values())
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for tree in trees.values():
        for owner in _list_classes(tree):
            used[families[owner.name]].update(_own_names(owner, reached))
    short = {family: _assign_names(names, "_", reached) for family, names in used.items()}
    keywords = {node.arg for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    for tree in trees.values():
        for owner in _list_classes(tree):
            _Attributes(short[families[owner.name]]).visit(owner)
        _rename_globals(tree, reached)
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            _rename_arguments(function, keywords)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _reached_names(trees: Iterable[ast.Module]) -> set[str]:
    """Names that somebody uses who does not own them: on another object than `self`, in an import, or as a text."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and not _of_self(node):
                found.add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _list_classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in tree.body if isinstance(node, ast.ClassDef))


def _class_families(trees: Iterable[ast.Module]) -> dict[str, str]:
    """Class name -> a name that all classes share which inherit from each other."""
    family: dict[str, str] = {}
    for owner in itertools.chain.from_iterable(map(_list_classes, trees)):
        family.setdefault(owner.name, owner.name)
        for base in owner.bases:
            if isinstance(base, ast.Name):
                old, new = family.setdefault(base.id, base.id), family[owner.name]
                family = {name: new if one == old else one for name, one in family.items()}
    return family


def _own_names(owner: ast.ClassDef, reached: Container[str]) -> Counter[str]:
    names: Counter[str] = Counter()
    for node in ast.walk(owner):
        if isinstance(node, ast.Attribute) and _of_self(node):
            names[node.attr] += 1
        elif isinstance(node, ast.FunctionDef):
            names[node.name] += 1
    for node in owner.body:
        # A class's own variables can be reached by their bare name within its body.
        for name in (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)):
            del names[name]
    return Counter({name: count for name, count in names.items() if _is_private(name) and name not in reached})


def _assign_names(names: Counter[str], prefix: str, taken: Container[str]) -> dict[str, str]:
    """A short name for each, the shortest for the most frequent."""
    free = (prefix + letters for letters in short_names() if prefix + letters not in taken)
    return dict(zip((name for name, _ in sorted(names.items(), key=lambda one: (-one[1], one[0]))), free, strict=False))


def short_names() -> Iterator[str]:
    """All short names, the shortest first."""
    for length in itertools.count(1):
        names = map("".join, itertools.product(ascii_lowercase, repeat=length))
        yield from (name for name in names if not iskeyword(name))


class _Attributes(ast.NodeTransformer):
    def __init__(self, short: Mapping[str, str]) -> None:
        self._short = short

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if _of_self(node):
            node.attr = self._short.get(node.attr, node.attr)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self._short.get(node.name, node.name)
        return node


def _rename_globals(tree: ast.Module, reached: Container[str]) -> None:
    """Private functions, classes and tables of a module."""
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
                if isinstance(target, ast.Name)}  # fmt: skip
    names = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    ours = {
        name: names[name] for name in defined if _is_private(name) and name not in reached and name not in arguments
    }
    short = _assign_names(Counter(ours), "_", names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = short.get(node.id, node.id)
        elif isinstance(node, ast.Global):
            node.names = [short.get(name, name) for name in node.names]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.name = short.get(node.name, node.name)


def _rename_arguments(function: ast.FunctionDef, keywords: Container[str | None]) -> None:
    """Arguments that nobody passes by keyword. Decorated functions are left alone: they may be another language."""
    inner = [node for node in ast.walk(function) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    if function.decorator_list or len(inner) > 1:
        return
    arguments = [one for one in function.args.args if one.arg != "self" and one.arg not in keywords]
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    short = _assign_names(
        Counter({one.arg: len(arguments) - at for at, one in enumerate(arguments)}), "", names | {"self"}
    )
    for one in arguments:
        one.arg = short[one.arg]
    for node in itertools.chain.from_iterable(map(ast.walk, function.body)):
        if isinstance(node, ast.Name):
            node.id = short.get(node.id, node.id)
