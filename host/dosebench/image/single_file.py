"""Many modules of the firmware as one file.

A `.mpy` file brings a table of the names that it uses, and a module a dictionary of what it imports: as files of their
own, forty modules say most names again and again. One file says each once. And what is public among them is so for
nobody else: it gets a short name as well (`sharing.py`).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from dosebench.image import sharing
from dosebench.image.sharing import MergeError, defined_names, stored_names
from dosebench.image.shorten import short_names


def merge_modules(
    trees: Mapping[str, ast.Module], root: str, apart: AbstractSet[str] = frozenset()
) -> dict[str, ast.Module]:
    """The program with one module in place of `root` and all that it imports, directly or not.

    Args:
        trees: All modules by name. They are changed.
        root: Module that the others reach the rest through; what is public in it keeps its name.
        apart: Modules that stay files of their own.

    Raises:
        MergeError: A module outside imports from one that would be gone, or a construct is met that is not understood.
    """
    inside = _in_order(trees, root, apart)
    outside = {module: tree for module, tree in trees.items() if module not in inside}
    for module, tree in outside.items():
        if gone := (_imported_modules(tree, trees) & set(inside)) - {root}:
            raise MergeError(f"{module} imports {min(gone)}, which becomes a part of {root}")
    merged = _merge_statements({module: trees[module] for module in inside}, root)
    if _foreign_modules(merged) <= sharing.LOOKED_UP.keys():
        sharing.share_attributes(merged, outside.values())
    sharing.share_globals(merged, {name for name in _global_names(merged) if name.startswith("_")})
    sharing.put_cheap_names_first(merged, _global_names(merged) | _imported_names(merged))
    return {**outside, root: ast.fix_missing_locations(merged)}


# Which modules


def _in_order(trees: Mapping[str, ast.Module], root: str, apart: AbstractSet[str]) -> list[str]:
    """Modules to merge, each after those that it imports."""
    done: list[str] = []

    def visit_module(module: str, above: tuple[str, ...]) -> None:
        if module in above:
            raise MergeError(f"{module} imports itself, by way of {', '.join(above)}")
        for needed in sorted(_imported_modules(trees[module], trees) - apart):
            visit_module(needed, (*above, module))
        if module not in done:
            done.append(module)

    visit_module(root, ())
    return done


def _list_imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def _imported_modules(tree: ast.Module, trees: Mapping[str, ast.Module]) -> set[str]:
    """Modules of the program that a module imports."""
    found = set()
    for module, name in _list_imports(tree):
        whole = f"{module}.{name}"
        found.add(whole if whole in trees else module)
    return found & trees.keys()


def _imported_names(tree: ast.Module) -> set[str]:
    """Names that imports at the top of a module define."""
    imports = (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    return {alias.asname or alias.name for node in imports for alias in node.names}


def _foreign_modules(tree: ast.Module) -> set[str]:
    return {module for module, _ in _list_imports(tree)}


# One module of many


def _merge_statements(trees: Mapping[str, ast.Module], root: str) -> ast.Module:
    """All statements in order, every global of a module under a name that no other has."""
    taken = {name for tree in trees.values() for name in _all_names(tree)}
    free = (f"_{text}" for text in short_names() if f"_{text}" not in taken)
    own = {module: sorted(_global_names(tree)) for module, tree in trees.items()}
    uses = Counter(node.id for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Name))
    renamed: dict[tuple[str, str], str] = {(root, name): name for name in own[root] if not name.startswith("_")}
    aliases = {
        (module, alias): (module, name)
        for module, tree in trees.items()
        for alias, name in _aliases(tree).items()
        if (module, alias) not in renamed
    }
    done = renamed.keys() | aliases.keys()
    places = [(module, name) for module in trees for name in own[module] if (module, name) not in done]
    for place in sorted(places, key=lambda place: -uses[place[1]]):
        renamed[place] = next(free)
    renamed |= {alias: renamed[place] for alias, place in aliases.items()}
    imports: dict[str, ast.stmt] = {}
    body: list[ast.stmt] = []
    for module, tree in trees.items():
        names, modules = _known_names(tree, module, trees, renamed)
        transformer = _Globals(names, modules)
        for node in tree.body:
            if (module, _alias(node)[0]) in aliases:
                continue
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports |= {ast.unparse(one): one for one in _foreign_imports(node, trees)}
            else:
                body.append(transformer.visit(node))
    for node in body:
        if nested := [ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.Import | ast.ImportFrom)]:
            raise MergeError(f"there is an import that is not at the top of its module: {nested[0]}")
    return ast.Module([*imports.values(), *body], [])


def _all_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


def _global_names(tree: ast.Module) -> set[str]:
    """What a module defines at its top."""
    found = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            raise MergeError(f"not understood at the top of a module: {ast.unparse(node)}")
    return found


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Second names of functions at the top of a module -> first names."""
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    pairs = (_alias(node) for node in tree.body)
    return {alias: name for alias, name in pairs if name in functions}


def _alias(node: ast.stmt) -> tuple[str, str]:
    """Both names of a statement like `second = first`; empty for any other statement."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value.id
    return "", ""


def _known_names(
    tree: ast.Module, module: str, trees: Mapping[str, ast.Module], renamed: Mapping[tuple[str, str], str]
) -> tuple[dict[str, str], dict[str, Callable[[str], str]]]:
    """Of a module: its globals and what it imports -> new name, and modules that it imports -> new name of what is in
    them."""
    names = {name: new for (origin, name), new in renamed.items() if origin == module}
    modules: dict[str, Callable[[str], str]] = {}
    for node in tree.body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            assert isinstance(node, ast.ImportFrom)
            assert node.module
            whole, here = f"{node.module}.{alias.name}", alias.asname or alias.name
            if whole in trees:
                modules[here] = lambda name, whole=whole: renamed[whole, name]  # type: ignore[misc]
            elif node.module in trees:
                names[here] = renamed[node.module, alias.name]
    return names, modules


def _foreign_imports(node: ast.Import | ast.ImportFrom, trees: Mapping[str, ast.Module]) -> Iterator[ast.stmt]:
    """What an import brings from elsewhere, name by name."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield ast.Import([alias])
        elif node.module not in trees and f"{node.module}.{alias.name}" not in trees:
            yield ast.ImportFrom(node.module, [alias], 0)


class _Globals(ast.NodeTransformer):
    """Renames what is global where no name of a function, a class or a comprehension hides it."""

    def __init__(self, names: Mapping[str, str], modules: Mapping[str, Callable[[str], str]]) -> None:
        self._names = names
        self._modules = modules
        self._hidden: list[set[str]] = []

    def _is_hidden(self, name: str) -> bool:
        return any(name in names for names in self._hidden)

    def _visit_within(self, hidden: set[str], node: ast.AST) -> ast.AST:
        self._hidden.append(hidden)
        try:
            return self.generic_visit(node)
        finally:
            self._hidden.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.args.defaults = [self.visit(one) for one in node.args.defaults]
        defaults, node.args.defaults = node.args.defaults, []
        decorators, node.decorator_list = [self.visit(one) for one in node.decorator_list], []
        if not self._hidden:
            node.name = self._names.get(node.name, node.name)
        self._visit_within(_local_names(node), node)
        node.args.defaults, node.decorator_list = defaults, decorators
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self._hidden:
            raise MergeError(f"class {node.name} is not at the top of its module")
        node.name = self._names.get(node.name, node.name)
        node.bases = [self.visit(base) for base in node.bases]
        # What a class defines is known by its bare name to its own statements, not to its methods.
        own = defined_names(node)
        for one in node.body:
            self._hidden.append(set() if isinstance(one, ast.FunctionDef) else own)
            self.visit(one)
            self._hidden.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._visit_within({one.arg for one in node.args.args}, node)

    def _visit_comprehension(self, node: ast.expr) -> ast.AST:
        return self._visit_within(stored_names([node]), node)

    visit_ListComp = visit_GeneratorExp = visit_SetComp = visit_DictComp = _visit_comprehension

    def visit_Global(self, node: ast.Global) -> ast.AST:
        node.names = [self._names.get(name, name) for name in node.names]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._modules:
            raise MergeError(f"module {node.id} is used as a value")
        if node.id in self._names:
            if self._is_hidden(node.id):
                raise MergeError(f"{node.id} is the name of a global and of something within")
            node.id = self._names[node.id]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        base = node.value
        if isinstance(base, ast.Name) and base.id in self._modules:
            return ast.Name(self._modules[base.id](node.attr), node.ctx)
        return self.generic_visit(node)


def _local_names(function: ast.FunctionDef) -> set[str]:
    arguments = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    inner = {one.name for one in ast.walk(function) if isinstance(one, ast.FunctionDef) and one is not function}
    shared = {name for one in ast.walk(function) if isinstance(one, ast.Global) for name in one.names}
    return (arguments | inner | stored_names(function.body)) - shared
