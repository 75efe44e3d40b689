"""Every block of Python in README and docs runs, block after block of a page, and each line of a table of code. Where
a block of text follows at once, it is what the block prints.
"""

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

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
