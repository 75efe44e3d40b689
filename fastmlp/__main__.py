"""The command line: ``fastmlp demo``, ``explain``, ``plot`` and ``--version``; ``python -m fastmlp`` is the same."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fastmlp import __version__, examples
from fastmlp.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How the libraries NumPy multiplies with are told to use one thread, which they read when they are loaded.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
FORMATS = ("text", "markdown", "html")
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
        With status 2 for a command or option that is not understood, 1 for a picture that cannot be drawn or written.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "demo":
            _demo(options, restart=arguments is None)
        elif options.command == "explain":
            _explain(options)
        else:
            _plot(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (OSError, ImportError, ValueError) as error:
        print(f"fastmlp: error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastmlp", description="Train multilayer perceptrons, and look inside.")
    parser.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="learn handwritten digits, race NumPy, draw a picture",
        description="Train a network on real handwritten digits, test it, and train its twin in plain NumPy.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo.add_argument("--output", default="demo.png", metavar="FILE", help="the picture, a PNG file")
    demo.add_argument("--epochs", default=30, type=_at_least(1), metavar="N", help="passes over the digits")
    demo.add_argument(
        "--seed", default=0, type=_at_least(0), metavar="N", help="of the split, the weights and the order"
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


def _add_example(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--example", required=True, choices=examples.NAMES, metavar="NAME", help="one of the nets below"
    )


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


def _at_least(minimum: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        number = int(text)
        if number < minimum:
            raise argparse.ArgumentTypeError(f"expected an integer of at least {minimum}, got {number}")
        return number

    return integer


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number > 0, got {text}")
    return number


if __name__ == "__main__":
    main()
