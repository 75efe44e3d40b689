"""The command line, ``fastmlp`` or ``python -m fastmlp``: what its words mean.

``train`` learns from a table and writes a file, which ``predict``, ``evaluate``, ``export`` and ``info`` use;
``demo``, ``explain`` and ``plot`` show what a net does. Not here: what the commands do (table_commands.py, demo.py).
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from fastmlp import __version__, examples
from fastmlp.messages import one_line
from fastmlp.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How the libraries NumPy multiplies with are told to use one thread, which they read when they are loaded.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
FORMATS = ("text", "markdown", "html")
TABLE_COMMANDS = ("train", "predict", "evaluate", "export", "info")
EXPORTS = ("onnx", "c", "torch")
PICTURES = ("network", "graph", "boundary", "activations")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``fastmlp``; those of this process when not given.

    Raises
    ------
    SystemExit
        With status 2 for a command or option that is not understood, and for a table or a file of a net that cannot
        be used; 1 for a picture that cannot be drawn or written; 130 when interrupted.
    """
    command = None
    try:
        _check_streams()
        options = _parser().parse_args(arguments)
        command = options.command
        if command in TABLE_COMMANDS:
            _use_tables(options)
        elif command == "demo":
            _demo(options, restart=arguments is None)
        elif command == "explain":
            _explain(options)
        else:
            _plot(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as head has
        _discard_output()
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("\nfastmlp: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except (OSError, ImportError, ValueError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno and error.filename is None:  # as of a pipe, or a full disk
            error.filename = "standard input or output"
            _discard_output()
        print(f"fastmlp: error: {_in_one_line(error)}", file=sys.stderr)
        raise SystemExit(1 if command in ("demo", "explain", "plot") else 2) from None


def _check_streams() -> None:
    """That there is a place for what is printed, in which nothing that a net is called can stop a command."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (to the end of the process)
    if sys.stdout is None:
        raise ValueError("standard output is closed; expected a place for what is printed, such as /dev/null")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _discard_output() -> None:
    """What is not written yet will not be, when the process ends."""
    with suppress(OSError, AttributeError):  # where it has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror}")
    return one_line(str(error)) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastmlp", description="Train multilayer perceptrons, and look inside.")
    parser.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    _add_table_commands(commands)
    demo = commands.add_parser(
        "demo",
        help="learn handwritten digits, race NumPy, draw a picture",
        description="Train a network on real handwritten digits, test it, and train its twin in plain NumPy.",
        epilog="examples:\n  fastmlp demo --epochs 10 --output digits.png",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--output", default="demo.png", metavar="FILE", help="the picture, a PNG file (default: demo.png)"
    )
    demo.add_argument(
        "--epochs", default=30, type=_at_least(1), metavar="N", help="passes over the digits (default: 30)"
    )
    demo.add_argument(
        "--seed", default=0, type=_at_least(0), metavar="N", help="of split, weights and order (default: 0)"
    )

    nets = "examples:\n" + "\n".join(f"  {name:<5}{examples.title(name)}" for name in examples.NAMES)
    explain = commands.add_parser(
        "explain",
        help="print a step of a lecture's net, with every number",
        description="Print a training step of a net of the lecture scripts, with the numbers put into the formulas.",
        epilog=f"{nets}\n\n  fastmlp explain --example 003\n  fastmlp explain --example 001 --notation fastmlp",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_example(explain)
    explain.add_argument(
        "--notation",
        choices=("fastmlp", "000", "001", "002", "003", "004"),
        help="how the values are named (default: as the example's script does)",
    )
    explain.add_argument("--optimizer", choices=tuple(OPTIMIZERS), help="whose step (default: sgd)")
    explain.add_argument(
        "--learning-rate", type=_positive, metavar="R", help="of the step (default: the example's, the optimizer's)"
    )
    explain.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")

    plot = commands.add_parser(
        "plot",
        help="draw a lecture's net",
        description="Draw a net of the lecture scripts with its sample; needs matplotlib.",
        epilog=f"{nets}\n\n  fastmlp plot --example 003 --output net.png\n"
        "  fastmlp plot --example xnor --kind boundary --output xnor.svg",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_example(plot)
    plot.add_argument(
        "--kind",
        choices=PICTURES,
        default=PICTURES[0],
        help="network: values, weights and gradients; graph: the same, number by number; boundary: of the decision; "
        "activations: of its layers (default: network)",
    )
    plot.add_argument("--output", required=True, metavar="FILE", help="the picture: its ending says PNG, SVG or PDF")
    return parser


def _add_table_commands(commands: Any) -> None:
    def add(name: str, does: str, examples: str, description: str = "") -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name,
            help=does,
            description=f"{does[0].upper()}{does[1:]}.{description}",
            epilog="examples:\n" + "\n".join(f"  fastmlp {name} {line}" for line in examples.splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name != "train":
            parser.add_argument("model", metavar="MODEL", help="a file, such as train writes")
        return parser

    def add_table(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("data", metavar="DATA", help="CSV, gzipped or not, or Parquet; - for standard input")
        parser.add_argument(
            "--separator", type=_separator, default=",", metavar="C", help="of CSV, a character or 'tab' (default: ,)"
        )
        parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of CSV (default: utf-8)")

    train = add(
        "train",
        "learn to predict a column of a table from the others",
        "houses.csv --target price --out price.safetensors\n"
        "flowers.csv.gz --target species --ignore id,date --out flowers.safetensors\n"
        "houses.csv --target price --hidden 128,64 --out net.safetensors",
        " An ensemble of nets takes\nnumbers, words and empty cells as they are; with --hidden, one net is trained, "
        "which\nexport writes for other programs, and no cell may be empty. A fifth of the rows is\nheld out, and "
        "tells how good it is.",
    )
    add_table(train)
    train.add_argument("--target", required=True, metavar="COLUMN", help="what to predict")
    train.add_argument("--out", required=True, metavar="FILE", help="where it goes: a safetensors file")
    train.add_argument(
        "--task", choices=("classification", "regression"), help="classes or numbers (default: by what the target is)"
    )
    train.add_argument(
        "--hidden",
        type=_sizes,
        metavar="N[,N]",
        help="train one net, with so many neurons in its hidden layers (default: an ensemble, TabularClassifier or "
        "TabularRegressor)",
    )
    train.add_argument(
        "--epochs",
        type=_at_least(1),
        metavar="N",
        help="passes over the rows, at most (default: as many as TabularClassifier and TabularRegressor make; 200 "
        "for one net)",
    )
    train.add_argument(
        "--seed", default=0, type=_at_least(0, 2**32 - 1), metavar="N", help="of all that is drawn (default: 0)"
    )
    train.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="COLUMN[,COLUMN]",
        help="columns to leave out, such as names or ids; may be given several times",
    )

    predict = add(
        "predict",
        "write a prediction for each row of a table",
        "price.safetensors new.csv --out predictions.csv\nflowers.safetensors - --proba < new.csv > predictions.csv",
        " Columns are found by name, in any order; the\ntarget need not be there, and further columns are not used.",
    )
    add_table(predict)
    predict.add_argument(
        "--out", default="-", metavar="FILE", help="where the CSV goes; - for standard output (default: -)"
    )
    predict.add_argument("--proba", action="store_true", help="add the probability of each class")

    evaluate = add(
        "evaluate", "measure how good a model is on a table that has the target", "price.safetensors new.csv"
    )
    add_table(evaluate)

    export = add(
        "export",
        "write a net for other programs, and print its inputs in their order",
        "net.safetensors --to onnx --out net.onnx\nnet.safetensors --to c --out net.h",
        " It is one net,\nas train --hidden makes it; an ensemble is many.",
    )
    export.add_argument("--to", required=True, choices=EXPORTS, help="ONNX, C, or a state_dict of PyTorch")
    export.add_argument("--out", required=True, metavar="FILE", help="where it goes")
    export.add_argument("--name", metavar="NAME", help="of the function of C (default: as the file is called)")
    add("info", "print what is known of a model: layers, columns, training", "price.safetensors")


def _add_example(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--example", required=True, choices=examples.NAMES, metavar="NAME", help="one of the nets below"
    )


def _use_tables(options: argparse.Namespace) -> None:
    from fastmlp import table_commands as tables

    if options.command == "export":
        tables.export(options.model, options.to, options.out, options.name)
        return
    if options.command == "info":
        tables.info(options.model)
        return
    csv_format = tables.Format(options.separator, options.encoding)
    if options.command == "train":
        tables.train(
            options.data, options.out, options.target, options.task, options.hidden, options.epochs, options.seed,
            options.ignore, csv_format,
        )  # fmt: skip
    elif options.command == "predict":
        tables.predict(options.model, options.data, options.out, options.proba, csv_format)
    else:
        tables.evaluate(options.model, options.data, csv_format)


def _demo(options: argparse.Namespace, restart: bool) -> None:
    if restart and not ONE_BLAS_THREAD.items() <= os.environ.items():
        # A fair race: one thread each. With more, NumPy's waiting threads make it many times slower while another
        # process is busy. Their number is fixed when NumPy is loaded, which it is, so start over.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ONE_BLAS_THREAD})
    from fastmlp.demo import run

    run(options.output, options.epochs, options.seed)


def _explain(options: argparse.Namespace) -> None:
    example = examples.load(options.example)
    optimizer = OPTIMIZERS[options.optimizer]() if options.optimizer else example.optimizer
    if options.learning_rate is not None:
        optimizer = type(optimizer)(options.learning_rate)
    notation = options.notation or example.notation
    explanation = example.net.explain(example.x, example.y, optimizer=optimizer, notation=notation)
    if options.format == "text":
        explanation.print()
    else:
        print(explanation.markdown() if options.format == "markdown" else explanation.html())


def _plot(options: argparse.Namespace) -> None:
    import fastmlp.plot as plot
    from fastmlp.graph import of_net

    example = examples.load(options.example)
    net, x, y = example.net, example.x, example.y
    axes: Axes
    if options.kind == "network":
        axes = plot.network(net, x, y)
    elif options.kind == "graph":
        loss = of_net(net, x, y).loss
        loss.backward()
        axes = plot.graph(loss)
    elif options.kind == "boundary":
        axes = plot.decision_boundary(net, limits=((-0.5, 1.5), (-0.5, 1.5)))
    else:
        axes = plot.activations(tuple(dict.fromkeys((*net.activation, net.output))))
    figure = axes.get_figure()
    assert figure is not None
    figure.savefig(options.output, dpi=120)
    print(f"picture: {options.output}")


def _at_least(minimum: int, most: float = float("inf")) -> Callable[[str], int]:
    def integer(text: str) -> int:
        number = int(text)
        if not minimum <= number <= most:
            limit = f"at least {minimum}" if number < minimum else f"at most {most}"
            raise argparse.ArgumentTypeError(f"expected an integer of {limit}, got {number}")
        return number

    return integer


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of neurons, such as 128,64, got {text!r}")
    return sizes


def _separator(text: str) -> str:
    separator = "\t" if text in ("tab", "\\t") else text
    if len(separator) != 1 or separator in '\r\n"':
        raise argparse.ArgumentTypeError(f"expected one character, or the word tab, got {text!r}")
    return separator


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number > 0, got {text}")
    return number


if __name__ == "__main__":
    main()
