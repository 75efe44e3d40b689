"""Every block of Python in README and docs runs, block after block of a page, and each line of a table of code."""

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```python" in page.read_text()
]


def test_the_pages_with_code_are_there():
    assert {"README.md", "coming-from-scikit-learn.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    text = page.read_text()
    code = re.findall(r"^```python\n(.*?)^```|^\|[^|]+\| `([^`]+)` \|$", text, re.DOTALL | re.MULTILINE)
    assert code
    for block, line in code:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(block or line, page.name, "exec"), known)
