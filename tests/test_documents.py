"""Every block of Python in README and docs runs, block after block of a page, and each line of a table of code. Where
a block of text follows at once, it is what the block prints. The figure of the files is what their imports say.
"""

import ast
import contextlib
import io
import re
import warnings
from functools import cache
from pathlib import Path
from textwrap import indent, wrap

import pytest

import fastmlp

ROOT = Path(__file__).parents[1]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```python" in page.read_text()
]
CODE = re.compile(
    r"^```python\n(?P<block>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```)?|^\|[^|]+\| `(?P<line>[^`]+)` \|$",
    re.DOTALL | re.MULTILINE,
)


def test_the_pages_with_code_are_there():
    assert {"README.md", "coming-from-scikit-learn.md", "guide.md", "scripts.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    found = list(CODE.finditer(page.read_text()))
    assert found
    for one in found:
        printed = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore")
            exec(compile(one["block"] or one["line"], page.name, "exec"), known)
        if one["printed"] is not None:
            assert printed.getvalue() == one["printed"]


def test_the_page_of_the_scripts_compares_what_it_prints():
    assert sum(one["printed"] is not None for one in CODE.finditer((ROOT / "docs/scripts.md").read_text())) > 15


FOLDERS = {"src": ROOT / "src", "fastmlp": Path(fastmlp.__file__).parent}
USES = re.compile(r'^(?:from (\w+) cimport|cdef extern from "(\w+\.h)"|#include "(\w+\.h)")', re.MULTILINE)


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def uses(path):
    """The files of the same folder that one imports as it is imported itself."""
    if path.suffix != ".py":
        names = {
            module + ".pxd" if module else first or second for module, first, second in USES.findall(path.read_text())
        }
        return {path.with_name(name) for name in names if path.with_name(name).exists()} - {path}
    imports = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    modules = {node.module for node in imports} | {
        f"fastmlp.{name.name}" for node in imports if node.module == "fastmlp" for name in node.names
    }
    files = {path.with_name(f"{module.partition('.')[2]}.py") for module in modules if module.startswith("fastmlp.")}
    return {file for file in files if file.exists()}


@cache
def level(path):
    """1 for a file that uses no other, else one more than the highest that it uses."""
    return 1 + max(map(level, uses(path)), default=0)


def rooms():
    """The files of both folders in lines, each of which uses lines above it alone."""
    lines = []
    for folder, path in FOLDERS.items():
        files = [
            file for file in path.iterdir() if file.suffix in (".h", ".pxd", ".pyx", ".py") and file.name[0] != "_"
        ]
        for height in sorted(set(map(level, files))):
            names = ", ".join(sorted(file.name for file in files if level(file) == height))
            title = f"{folder + '/' if height == 1 else '':10}{height:2}  "
            lines += wrap(names, 114, initial_indent=title, subsequent_indent=" " * len(title))
    return "\n".join(lines)


def test_the_figure_of_the_files_is_what_their_imports_say():
    assert indent(rooms(), "    ") in (ROOT / "docs" / "architecture.md").read_text()


def test_the_tables_of_the_files_name_each_of_them():
    text = (ROOT / "docs" / "architecture.md").read_text()
    tables = "".join(line for line in text.splitlines() if line.startswith("| `"))
    for path in FOLDERS.values():
        for file in path.iterdir():
            if file.suffix in (".h", ".pxd", ".pyx", ".py") and file.name != "__init__.py":
                assert f"`{file.name}`" in tables, file.name
