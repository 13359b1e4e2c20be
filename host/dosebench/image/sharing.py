"""One short name for many things of a file, where nothing can mistake one for another.

Each different name costs a file a place in its table and its text; one of the first 128 takes one byte wherever it is
used, any other takes two. An attribute is looked up in an object, so classes that no object has both of can use the
same names for different attributes; a global is looked up in the module, so it can have the name of an attribute too.
"""

from __future__ import annotations

import array
import ast
import binascii
import builtins
import hashlib
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import ModuleType
from typing import Final

from dosebench.base.errors import DosebenchError
from dosebench.image.shorten import short_names

LOOKED_UP: Final[Mapping[str, ModuleType]] = {
    module.__name__: module for module in (array, binascii, builtins, hashlib, struct)
}
"""Modules of which a file may use no other, to have its attributes shortened: what their objects offer is known."""
_OBJECTS: Final[tuple[object, ...]] = (
    *(b"", bytearray(), 0, "", (), [], {}, range(0), memoryview(b""), Exception(), OSError()),
    *(array.array("B"), hashlib.sha256()),
)
_FOREIGN: Final = frozenset(name for one in (*LOOKED_UP.values(), *_OBJECTS) for name in dir(one))

CHEAP_NAMES: Final = 126
"""How many names come first in a file: of the first 128, two are those of the file and of its outermost scope."""
_CHAIN: Final = 42
"""Names in one expression, so that it stays flat."""


class MergeError(DosebenchError):
    """The modules cannot be put into one."""


Key = tuple[str, str]
"""What one name stands for: the class that its family begins with and its name there, or "" and a name for all."""


# Attributes


def share_attributes(tree: ast.Module, others: Iterable[ast.Module]) -> None:
    """Short names for the attributes and methods of a file's own classes, the same for those that never meet.

    A name stays where another file of the program uses it, an object of Python's own has it, or a text asks for it.

    Raises MergeError.
    """
    plan = _Attributes(tree)
    kept = {name for other in others for name in _list_attributes(other)} | set(_asked_by_text(tree)) | plan.undefined
    keys = {key: classes for key, classes in plan.classes.items() if key[1] not in kept | _FOREIGN}
    taken: dict[str, set[str]] = defaultdict(set)
    short: dict[Key, str] = {}
    for key in sorted(keys, key=lambda key: (-plan.uses[key], key)):
        met = set().union(*(taken[owner] for owner in keys[key]))
        short[key] = next(name for name in short_names() if name not in met | kept | _FOREIGN)
        for owner in keys[key]:
            taken[owner].add(short[key])
    plan.rename(short)


class _Attributes:
    """Which classes have which attributes, and which of them are reached by another object than their own."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        owners = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        self._lines = _list_lines(owners)
        below = {above: {name for name, line in self._lines.items() if above in line} for above in self._lines}
        having: dict[str, set[str]] = defaultdict(set)
        for owner in owners:
            for name in _mentioned_names(owner):
                having[name].add(owner.name)
        outside = [node for node, owner in self._list_nodes() if not (owner and of_self(node))]
        self._reached = {node.attr for node in outside}
        assigned = {node.attr for node in outside if not isinstance(node.ctx, ast.Load)}
        self.undefined = {name for name in self._reached | having.keys() if name not in having and name not in assigned}
        self.classes: dict[Key, set[str]] = defaultdict(set)
        """Classes of all objects that may have it."""
        for name, names in having.items():
            for owner_name in names:
                self.classes[self._key(owner_name, name)] |= below[owner_name]
        for name in assigned:
            # From outside: on any object.
            self.classes["", name] = set(below)
        self.uses = Counter(self._key(owner, node.attr) for node, owner in self._list_nodes())
        for owner in owners:
            self.uses.update(self._key(owner.name, name) for name in defined_names(owner))

    def _list_nodes(self) -> Iterator[tuple[ast.Attribute, str]]:
        """All attributes in the text, with the class that they are written in."""
        for statement in self._tree.body:
            owner = statement.name if isinstance(statement, ast.ClassDef) else ""
            yield from ((node, owner) for node in ast.walk(statement) if isinstance(node, ast.Attribute))

    def _key(self, owner: str, name: str) -> Key:
        return ("", name) if name in self._reached or not owner else (self._lines[owner][-1], name)

    def rename(self, short: Mapping[Key, str]) -> None:
        renamed = [(node, self._key(owner, node.attr)) for node, owner in self._list_nodes()]
        for node, key in renamed:
            node.attr = short.get(key, node.attr)
        for owner in self._tree.body:
            if isinstance(owner, ast.ClassDef):
                own = {name: self._key(owner.name, name) for name in defined_names(owner)}
                _rename_own(owner, {name: short[key] for name, key in own.items() if key in short})


def _list_lines(owners: Iterable[ast.ClassDef]) -> dict[str, tuple[str, ...]]:
    """Class name -> it and all that it inherits from in its file, the first of them last."""
    lines: dict[str, tuple[str, ...]] = {}
    for owner in owners:
        above = [base.id for base in owner.bases if isinstance(base, ast.Name) and base.id in lines]
        if len(owner.bases) > 1:
            raise MergeError(f"class {owner.name} has more than one base")
        lines[owner.name] = (owner.name, *(lines[above[0]] if above else ()))
    return lines


def of_self(node: ast.Attribute) -> bool:
    """Whether it is an attribute of the object whose method it is written in."""
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _mentioned_names(owner: ast.ClassDef) -> set[str]:
    own = {node.attr for node in ast.walk(owner) if isinstance(node, ast.Attribute) and of_self(node)}
    return own | defined_names(owner)


def defined_names(owner: ast.ClassDef) -> set[str]:
    """Methods and variables of a class."""
    methods = {one.name for one in owner.body if isinstance(one, ast.FunctionDef)}
    return methods | stored_names(owner.body)


def stored_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are assigned to, not looking into functions."""
    found = set()
    ahead = list(nodes)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        ahead += ast.iter_child_nodes(node)
    return found


def _rename_own(owner: ast.ClassDef, short: Mapping[str, str]) -> None:
    for node in _list_bare(owner):
        node.id = short.get(node.id, node.id)
    for one in owner.body:
        if isinstance(one, ast.FunctionDef):
            one.name = short.get(one.name, one.name)


def _list_bare(owner: ast.ClassDef) -> Iterator[ast.Name]:
    """Names that a class looks up while it is made: among its own first, then among the globals."""
    ahead: list[ast.AST] = list(owner.body)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef):
            ahead += [*node.decorator_list, *node.args.defaults]
        elif isinstance(node, ast.Name):
            yield node
        else:
            ahead += ast.iter_child_nodes(node)


def _list_attributes(tree: ast.Module) -> Iterator[str]:
    """What a file may use of another file's objects, or another file of its: not what its own objects use of
    themselves and say to be private."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (of_self(node) and node.attr.startswith("_")):
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            yield from (name for name in defined_names(node) if not name.startswith("_"))
    yield from _asked_by_text(tree)


def _asked_by_text(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


# Globals


def share_globals(tree: ast.Module, own: AbstractSet[str]) -> None:
    """Short names, those of attributes as well, for the globals `own`, whose names nothing else in the file has."""
    owners = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    within = {name for owner in owners for name in defined_names(owner)}
    bare = {node.id for owner in owners for node in _list_bare(owner)}
    kept = set(_scope_names(tree)) - own
    uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    short: dict[str, str] = {}
    used = kept | _FOREIGN
    for name in sorted(own, key=lambda name: (-uses[name], name)):
        # What a class looks up while it is made must not be hidden by what it defines.
        hidden = within if name in bare else set()
        short[name] = next(text for text in short_names() if text not in used and text not in hidden)
        used.add(short[name])
    rename_globals(tree, lambda name: short.get(name, name))


def _scope_names(tree: ast.Module) -> Iterator[str]:
    """All names of globals, locals and arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.ExceptHandler):
            yield node.name or ""
        elif isinstance(node, ast.FunctionDef):
            yield from (one.name for one in ast.walk(node) if isinstance(one, ast.FunctionDef) and one is not node)


def rename_globals(tree: ast.Module, renamed: Callable[[str], str]) -> None:
    """Rename in place what has a name of its own in the whole file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = renamed(node.id)
        elif isinstance(node, ast.Global):
            node.names = [renamed(name) for name in node.names]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.name = renamed(node.name)


# Their order


def put_cheap_names_first(tree: ast.Module, own: AbstractSet[str]) -> None:
    """An expression that is never computed, ahead of all, with the most frequent names: they are numbered as they come.

    `own` are the globals: other names are numbered only as arguments.
    """
    uses = Counter(_numbered_names(tree, own))
    if len(uses) <= CHEAP_NAMES:
        return
    names = [name for name, _ in uses.most_common(CHEAP_NAMES)]
    chains: list[ast.expr] = []
    for start in range(0, len(names), _CHAIN):
        chain: ast.expr = ast.List([], ast.Load())
        for name in names[start : start + _CHAIN]:
            # As an attribute, which is numbered before any name of a global.
            chain = ast.Attribute(chain, name, ast.Load())
        chains.append(chain)
    never = ast.BoolOp(ast.And(), [ast.List([], ast.Load()), ast.Tuple(chains, ast.Load())])
    tree.body.insert(0, ast.Expr(never))


def _numbered_names(tree: ast.Module, own: AbstractSet[str]) -> Iterator[str]:
    """The names that bytecode holds, each as often as it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name) and (node.id in own or node.id in dir(builtins)):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef):
            yield from (node.name, node.name)
        elif isinstance(node, ast.ClassDef):
            yield from (node.name, node.name, node.name, "__name__", "__module__", "__qualname__")
