"""Arguments that the source passes by name, passed by position on the board.

A function of the generated codec may have dozens of fields, so its callers name them. Each name takes a place in the
board's table, its text, and four bytes of the call; by position it takes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from dosebench.base.errors import DosebenchError


class PositionError(DosebenchError):
    """A call does not name the arguments of its function in their order, so that it cannot pass them by position."""


def pass_by_position(trees: Mapping[str, ast.Module]) -> None:
    """Give functions without keyword-only arguments, and call them so, in place. `trees` is the whole program.

    Raises PositionError.
    """
    functions = {
        node.name: node
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs and not any(node.args.kw_defaults)
    }
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (function := functions.get(_called_name(node))):
                _pass_arguments(node, function)
    for function in functions.values():
        function.args.args += function.args.kwonlyargs
        function.args.kwonlyargs, function.args.kw_defaults = [], []


def _called_name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _pass_arguments(call: ast.Call, function: ast.FunctionDef) -> None:
    # In their order only: what they are computed from is evaluated from left to right.
    named = [keyword.arg for keyword in call.keywords]
    wanted = [argument.arg for argument in function.args.kwonlyargs]
    if named != wanted:
        raise PositionError(
            f"{function.name} is called with {', '.join(map(str, named))}",
            hint=f"name its arguments in their order: {', '.join(wanted)}",
        )
    call.args += [keyword.value for keyword in call.keywords]
    call.keywords = []
