"""The command line: ``python -m fastmlp demo`` and ``python -m fastmlp --version``."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from fastmlp import __version__

# How the libraries NumPy multiplies with are told to use one thread, which they read when they are loaded.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``python -m fastmlp``; those of this process when not given.

    Raises
    ------
    SystemExit
        With status 2 for a command or option that is not understood, 1 for a picture that cannot be written.
    """
    parser = argparse.ArgumentParser(prog="python -m fastmlp", description="Train multilayer perceptrons.")
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

    options = parser.parse_args(arguments)
    if options.command == "demo":
        if arguments is None and not ONE_BLAS_THREAD.items() <= os.environ.items():
            # A fair race: one thread each. With more, NumPy's waiting threads make it many times slower while
            # another process is busy. Their number is fixed when NumPy is loaded, which it is, so start over.
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ONE_BLAS_THREAD})
        from fastmlp.demo import run

        try:
            run(options.output, options.epochs, options.seed)
        except OSError as error:
            parser.exit(1, f"{parser.prog}: error: {error}\n")


def _at_least(minimum: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        number = int(text)
        if number < minimum:
            raise argparse.ArgumentTypeError(f"expected an integer of at least {minimum}, got {number}")
        return number

    return integer


if __name__ == "__main__":
    main()
