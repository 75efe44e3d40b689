"""The command line, as a shell runs it."""

import subprocess
import sys

import pytest

import fastmlp
from fastmlp.__main__ import main


def run(*words, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "fastmlp", *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_explain_prints_the_lecture_s_numbers():
    done = run("explain", "--example", "003")
    assert done.returncode == 0
    assert done.stderr == ""
    for digits in ("0.593269992", "1.105905967", "0.298371109", "= 0.082167", "= 0.358916"):
        assert digits in done.stdout
    assert "\x1b" not in done.stdout


def test_help_of_the_demonstration_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "examples:\n  fastmlp demo --epochs 10" in capsys.readouterr().out


def test_options_of_explain_act(capsys):
    example = fastmlp.examples.load("003")
    main(["explain", "--example", "003", "--notation", "004", "--optimizer", "adam", "--learning-rate", "0.25"])
    expected = example.net.explain(example.x, example.y, optimizer=fastmlp.Adam(0.25), notation="004")
    assert capsys.readouterr().out == f"{expected}\n"
    main(["explain", "--example", "003", "--learning-rate", "2"])
    assert "0.4 - 2·0.082167" in capsys.readouterr().out
    main(["explain", "--example", "003", "--format", "markdown"])
    assert r"\frac{\partial E_{total}}" in capsys.readouterr().out
    main(["explain", "--example", "003", "--format", "html"])
    assert capsys.readouterr().out.startswith("<div>")


@pytest.mark.parametrize("kind", ["network", "graph", "boundary", "activations"])
def test_plot_writes_the_picture(kind, tmp_path, capsys):
    output = tmp_path / "net.png"
    main(["plot", "--example", "xnor", "--kind", kind, "--output", str(output)])
    assert output.read_bytes().startswith(b"\x89PNG")
    assert str(output) in capsys.readouterr().out


@pytest.mark.parametrize("words", [["explain", "--help"], ["plot", "--help"]])
def test_help_has_an_example_and_the_names(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"fastmlp {words[0]} --example 003" in text
    assert all(name in text for name in fastmlp.examples.NAMES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "--example", "005"], "invalid choice: '005'"),
        (["explain"], "--example"),
        (["explain", "--example", "003", "--notation", "x"], "invalid choice: 'x'"),
        (["explain", "--example", "003", "--learning-rate", "0"], "expected a number > 0"),
        (["plot", "--example", "003"], "--output"),
        (["fly"], "invalid choice"),
    ],
)
def test_what_is_not_understood_ends_with_2_and_says_why(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_picture_that_cannot_be_written_or_drawn_ends_with_1_and_a_line(tmp_path, capsys, monkeypatch):
    with pytest.raises(SystemExit) as end:
        main(["plot", "--example", "003", "--output", str(tmp_path / "no" / "net.png")])
    assert end.value.code == 1
    with pytest.raises(SystemExit) as end:
        main(["plot", "--example", "003", "--output", str(tmp_path / "net.xyz")])
    assert end.value.code == 1
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(SystemExit) as end:
        main(["plot", "--example", "003", "--output", str(tmp_path / "net.png")])
    assert end.value.code == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("fastmlp: error: ") for line in lines)
    assert "pip install 'matplotlib" in lines[2]


def test_a_reader_who_has_seen_enough_gets_no_traceback():
    code = f"{sys.executable} -m fastmlp explain --example 003 | head -1"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
