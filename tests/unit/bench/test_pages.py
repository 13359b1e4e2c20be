"""The pages of the example benches match their files."""

from __future__ import annotations

from pathlib import Path

from dosebench.bench import pages


def test_the_pages_are_those_of_the_files() -> None:
    directory = Path(__file__).parents[3] / "docs" / "boards"
    made = pages.generate_pages()
    assert {path.name for path in directory.iterdir()} == set(made)
    for name, text in made.items():
        assert (directory / name).read_text(encoding="utf-8") == text, f"docs/boards/{name}: run `make gen`"
