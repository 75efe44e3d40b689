"""Looks for cliffs: fastmlp on nets of every awkward width times every awkward batch, and how its cost grows.

    python bench/grid.py            some minutes; writes grid.md, grid.png and scaling.png into bench/results/
    python bench/grid.py --quick    some seconds; a corner of the grid, and writes nothing

A point of the grid is a width w and a batch b: the net w-w-w-w, so that inputs, hidden layers and outputs all have
the awkward size, relu inside, half squared error, Adam, float32. Each is verified (twins.py), then `predict` of b
rows and a training step on b rows are timed. The rules that a point may break:

- slower: NumPy's time / fastmlp's time, on one thread, is below 1;
- threads: the time on one thread / the time with THREADS allowed is below ENOUGH; how many threads pay is for
  fastmlp to decide;
- rate: the floating-point operations of the products alone, over the whole time, go at less than half the rate of
  the next larger width or the next larger batch.

The rule of rates cannot hold where a call costs more than its work: from width 1 to width 2 the work is fourfold and
the call the same. So it is looked at once more without that cost, which is what the same call takes with width 1 or
with batch 1: what breaks the rule there too ("beyond a call") is a cliff of the kernels.

One thread is timed by the CPU clock, two by the clock on the wall, always those that are compared in turn, A B A B,
since the machine may change its speed at any time (run.py has more on that). The grid is gone over PASSES times, with
new nets in other places of the memory; what breaks a rule then has AGAIN turns more, and neighbours are timed in turn
for that, as they were not before. Of the ratios of all turns the median counts, of rates the greatest. So what is
reported is no accident, as far as one thread is concerned; a second thread can only gain where the second core is
free, which nets that work side by side and share nothing show.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from timeit import Timer
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import fastmlp
import nets
import run
import twins

RESULTS = Path(__file__).resolve().parent / "results"
WIDTHS = (1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 65, 100, 127, 129, 250, 511, 1000)
BATCHES = (1, 2, 3, 4, 7, 16, 31, 33, 100, 257)
CASES = ("predict", "training step")
THREADS = 2
ENOUGH = 0.95  # of the speed of one thread: what is above may be noise
SLOW = 0.5  # of a neighbour's rate
SUSPECT = 0.65  # the same, while the two were not timed in turn
NOISE = 0.1  # of a call: a smaller difference of two calls says nothing
PASSES = 3
AGAIN = 3
SECONDS = 0.03  # of a comparison, which has ROUNDS at least
ROUNDS = 3
STRETCH = 0.0005  # of calls timed together
# So that a net of one neuron, whose relu may be off, still gives and learns something.
BIAS = 0.1

# What shows a wrong number of a constant that only speed depends on: a net and a case, whose rate on one thread is
# measured in turn with that of NumPy's product of two matrices SQUARE x SQUARE.
SQUARE = 512
CONSTANTS = {
    "ROW_BLOCK": (nets.Net((256,) * 4, "relu", "identity", "half_squared_error", 256), "training step"),
    "L2_ELEMENTS, WEIGHT_BLOCK_PANELS": (nets.NETS[4], "training step"),
    "GRADIENT_ROWS": (nets.NETS[3], "training step"),
    "SUM_ELEMENTS, DATA_PART_MIN_ROWS": (nets.NETS[2], "training step"),
    "PACK_MIN_ELEMENTS, K_BLOCK": (nets.Net((1024,) * 4, "relu", "identity", "half_squared_error", 64), "predict"),
    "PACK_MIN_ROWS": (nets.Net((1024,) * 4, "relu", "identity", "half_squared_error", 6), "predict"),
    "LONG_ROW_K": (nets.Net((1024,) * 4, "relu", "identity", "half_squared_error", 1), "predict"),
    "TRANSPOSED_ROWS": (nets.Net((1500, 1), "relu", "identity", "half_squared_error", 256), "predict"),
    "GIL_MAX_PRODUCTS": (nets.NETS[0], "predict"),
}

# What the picture of scaling shows.
MANY_ROWS = 10_000
ROWS = tuple(10**n for n in range(7))
ROW_NETS = (nets.NETS[0], nets.NETS[2])
SQUARES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)  # w-w-w-w
SQUARE_BATCH = 128
SIDE_BY_SIDE = 0.02  # seconds of nets beside each other, so that starting their threads does not count


def in_turn(calls, clock, seconds):
    """{name: seconds a call} of {name: (set-up, call)}; a call with a set-up of its own is never repeated without."""
    timers = {name: Timer(call, setup or "pass", timer=clock) for name, (setup, call) in calls.items()}
    once = {name: timer.timeit(1) for name, timer in timers.items()}
    repeats = {
        name: 1 if setup else max(1, round(STRETCH / max(once[name], 1e-7))) for name, (setup, _) in calls.items()
    }
    rounds = max(ROUNDS, min(100, int(seconds / sum(once[name] * repeats[name] for name in calls))))
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, timer in timers.items():
            times[name].append(timer.timeit(repeats[name]) / repeats[name])
    # Not the very least: the CPU clock of a virtual machine now and then leaves time out.
    return {name: sorted(found)[max(1, rounds // 4)] for name, found in times.items()}


def square(width, batch):
    return nets.Net((width,) * 4, "relu", "identity", "half_squared_error", batch)


def epoch(net):
    """Steps of an epoch: enough for the clock, and few for the largest nets."""
    return int(np.clip(3e8 / nets.step_operations(net), 2, 64))


def per_thread(call, X=None):
    """{threads: call} of a Training or, with X, of MLP.predict, which asks for the setting."""

    def predict(threads):
        fastmlp.set_num_threads(threads)
        call.mlp.predict(X)

    counts = 1, THREADS
    if X is None:
        return {threads: (call.reset, partial(call.run, threads)) for threads in counts}
    return {threads: (None, partial(predict, threads)) for threads in counts}


class Times:
    """Of a case at a point, pass by pass: seconds of "NumPy" and "fastmlp", on 1 and with THREADS threads."""

    def __init__(self, operations):
        self.operations = operations
        self.passes = []

    @property
    def ratio(self):
        return median(times["NumPy"] / times["fastmlp"] for times in self.passes)

    @property
    def speedup(self):
        return median(times[1] / times[THREADS] for times in self.passes)

    @property
    def gflops(self):
        return self.operations / min(times["fastmlp"] for times in self.passes) / 1e9


def measure(width, batch, seconds):
    """{case: {name: seconds}} of a point, once."""
    net = square(width, batch)
    steps = epoch(net)
    trainings = twins.verified(net, (batch,), steps, bias=BIAS)
    X = twins.samples(net, batch)
    sides = {
        "predict": {name: (None, partial(twins.predictor(t.mlp, name), X)) for name, t in trainings.items()},
        "training step": {name: (t.reset, t.run) for name, t in trainings.items()},
    }
    threads = {
        "predict": per_thread(trainings["fastmlp"], X),
        "training step": per_thread(trainings["fastmlp"]),
    }
    result = {}
    for case in CASES:
        times = in_turn(sides[case], process_time, seconds) | in_turn(threads[case], perf_counter, seconds)
        fastmlp.set_num_threads(1)
        calls = steps if case == "training step" else 1
        result[case] = {name: t / calls for name, t in times.items()}
    return result


def operations(point):
    case, width, batch = point
    net = square(width, batch)
    return nets.predict_operations(net, batch) if case == "predict" else nets.step_operations(net)


def fastmlp_in_turn(points, seconds):
    """{point: seconds} of fastmlp alone, all timed in turn."""
    calls, parts = {}, {}
    for point in points:
        case, width, batch = point
        net = square(width, batch)
        mlp = nets.make(net, "fastmlp")
        if case == "predict":
            calls[point], parts[point] = (None, partial(mlp.predict, twins.samples(net, batch))), 1
        else:
            training = twins.Training(net, mlp, epoch(net))
            calls[point], parts[point] = (training.reset, training.run), training.batches
    return {point: t / parts[point] for point, t in in_turn(calls, process_time, seconds).items()}


class Neighbours(NamedTuple):
    """Rates of a point and of the next larger one, and whether it is slow beside that without a call's cost too."""

    gflops: float
    larger: float
    beyond: bool

    @property
    def ratio(self):
        return self.gflops / self.larger


def compared(points, times):
    """Neighbours of (point, the next larger one, the one that shows what a call costs), by their {point: seconds}."""
    small, large, least = map(operations, points)
    a, b, call = (times[point] for point in points)
    beyond = a - call > NOISE * call and (small - least) / (a - call) < SLOW * (large - least) / max(b - call, 1e-9)
    return Neighbours(small / a / 1e9, large / b / 1e9, beyond)


class Grid:
    """The points, {(case, width, batch): Times}, and the rules."""

    def __init__(self, widths, batches, passes, seconds):
        self.widths, self.batches, self.seconds = widths, batches, seconds
        self.points = {}
        for _ in range(passes):
            self.time([(width, batch) for batch in batches for width in widths])
        for _ in range(AGAIN):
            self.time(sorted({point[1:] for point in (*self.slower(), *self.threads())}))
        self.cliffs = self.find_cliffs()

    def time(self, places):
        for width, batch in places:
            for case, times in measure(width, batch, self.seconds).items():
                point = case, width, batch
                self.points.setdefault(point, Times(operations(point))).passes.append(times)

    def slower(self):
        """Points where NumPy is faster, the worst first."""
        found = [point for point, times in self.points.items() if times.ratio < 1]
        return sorted(found, key=lambda point: self.points[point].ratio)

    def threads(self):
        """Points where THREADS threads take longer than one, the worst first."""
        found = [point for point, times in self.points.items() if times.speedup < ENOUGH]
        return sorted(found, key=lambda point: self.points[point].speedup)

    def neighbours(self):
        """(point, the next larger one, the one that shows what a call costs), by width and by batch."""
        for case in CASES:
            for (small, large), batch in product(pairwise(self.widths), self.batches):
                yield (case, small, batch), (case, large, batch), (case, self.widths[0], batch)
            for width, (small, large) in product(self.widths, pairwise(self.batches)):
                yield (case, width, small), (case, width, large), (case, width, self.batches[0])

    def find_cliffs(self):
        """{(point, the next larger one): Neighbours} where the rate is too low, the worst first."""
        found = {
            points: None
            for points in self.neighbours()
            if self.points[points[0]].gflops < SUSPECT * self.points[points[1]].gflops
        }
        for _ in range(AGAIN):
            found = {points: compared(points, fastmlp_in_turn(points, self.seconds)) for points in found}
            found = {points: pair for points, pair in found.items() if pair.ratio < SLOW}
        return {points[:2]: found[points] for points in sorted(found, key=lambda points: found[points].ratio)}


class Speedup(NamedTuple):
    """Work a second on THREADS threads, as a multiple of that on one."""

    together: float  # one net on all of them
    apart: float  # as many nets side by side, which share nothing: what the machine allows


def apart(net, batches, X, times):
    """For predict and a training step: a call in which THREADS nets work side by side, so many times each."""
    others = [twins.Training(net, nets.make(net, "fastmlp"), batches) for _ in range(THREADS)]

    def all_at_once(calls):
        def repeat(call):
            for _ in range(times):
                call()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(repeat, calls))

    yield partial(all_at_once, [partial(other.mlp._network.forward, X) for other in others])
    yield partial(all_at_once, [other.run for other in others])


def speedups():
    """{case: {net: Speedup}} of the nets of nets.py."""
    found = {case: {} for case in (f"predict {MANY_ROWS:,} rows", "training step")}
    for net in (*nets.NETS, nets.FULL_BATCH):
        batches = max(2, min(16, MANY_ROWS // net.batch))
        fast = twins.verified(net, (32,), batches)["fastmlp"]
        X, repeats = nets.inputs(net, MANY_ROWS), max(1, round(SIDE_BY_SIDE / fast.seconds))
        cases = zip(found, (per_thread(fast, X), per_thread(fast)), apart(net, batches, X, repeats), strict=True)
        for case, calls, side_by_side in cases:
            calls["apart"] = None, side_by_side
            times = [in_turn(calls, perf_counter, 20 * SECONDS) for _ in range(PASSES)]
            found[case][net] = Speedup(
                median(t[1] / t[THREADS] for t in times),
                median(THREADS * repeats * t[1] / t["apart"] for t in times),
            )
    fastmlp.set_num_threads(1)
    return found


def shares():
    """{constants: the rate of their case as a share of that of a square product}, on one thread."""
    A, B = np.random.default_rng(4).standard_normal((2, SQUARE, SQUARE), np.float32)
    found = {}
    for names, (net, case) in CONSTANTS.items():
        mlp, steps = nets.make(net, "fastmlp"), epoch(net)
        if case == "predict":
            call, work = (
                (None, partial(mlp.predict, twins.samples(net, net.batch))),
                nets.predict_operations(net, net.batch),
            )
        else:
            training = twins.Training(net, mlp, steps)
            call, work = (training.reset, training.run), steps * nets.step_operations(net)
        times = in_turn({"net": call, "product": (None, partial(np.matmul, A, B))}, process_time, 10 * SECONDS)
        found[names] = work / times["net"] / (2 * SQUARE**3 / times["product"])
    return found


def seconds_of_rows():
    """{net: [seconds of predict, for each of ROWS]}."""
    found = {}
    for net in ROW_NETS:
        mlp = nets.make(net, "fastmlp")
        X = nets.inputs(net, max(ROWS))
        found[net] = [in_turn({m: (None, partial(mlp.predict, X[:m]))}, process_time, SECONDS)[m] for m in ROWS]
    return found


def seconds_of_parameters():
    """{parameters: seconds of a training step}."""
    found = {}
    for width in SQUARES:
        net = square(width, SQUARE_BATCH)
        fast = twins.Training(net, nets.make(net, "fastmlp"), epoch(net))
        times = in_turn({"step": (fast.reset, fast.run)}, process_time, SECONDS)
        found[net.parameters] = times["step"] / fast.batches
    return found


def digits(x):
    """Two of them or more."""
    return f"{x:.2f}" if x < 10 else f"{x:.0f}"


def draw_grid(grid, path):
    """A map for each case and figure, with frames around what breaks the rule of the figure."""
    beyond = [point for (point, _), pair in grid.cliffs.items() if pair.beyond]
    maps = (
        (
            "NumPy's time / fastmlp's time, one thread",
            "ratio",
            (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8),
            "PuOr",
            grid.slower(),
        ),
        ("GFLOP/s, one thread", "gflops", (0.5, 1, 2, 4, 8, 16, 32, 64, 128), "cividis", beyond),
        (f"time on one thread / on {THREADS}", "speedup", (0.5, 0.7, 1, 1.4, 2), "PuOr", grid.threads()),
    )
    figure = Figure(figsize=(20, 17), layout="constrained")
    figure.suptitle("Nets w-w-w-w, relu, Adam, float32; framed: what breaks a rule", fontsize=16)
    for row, (title, name, ticks, colours, broken) in zip(figure.subplots(3, 2), maps, strict=True):
        norm = LogNorm(ticks[0], ticks[-1])
        for axes, case in zip(row, CASES, strict=True):
            values = np.array(
                [[getattr(grid.points[case, width, b], name) for width in grid.widths] for b in grid.batches]
            )
            image = axes.imshow(values, norm=norm, cmap=colours, aspect="auto")
            for (i, j), value in np.ndenumerate(values):
                red, green, blue, _ = image.cmap(norm(value))
                light = 0.3 * red + 0.6 * green + 0.1 * blue > 0.5
                axes.text(j, i, digits(value), ha="center", va="center", color="black" if light else "white", size=10)
                if (case, grid.widths[j], grid.batches[i]) in broken:
                    for colour, width in (("white", 4), ("black", 2)):  # one of them shows on every colour
                        corner = j - 0.46, i - 0.45
                        axes.add_patch(Rectangle(corner, 0.92, 0.9, fill=False, color=colour, lw=width))
            axes.set_xticks(range(len(grid.widths)), grid.widths)
            axes.set_yticks(range(len(grid.batches)), grid.batches)
            axes.set(xlabel="width", ylabel="batch", title=f"{case}: {title}")
        scale = figure.colorbar(image, ax=row, extend="both", pad=0.01, fraction=0.02)
        scale.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        scale.minorticks_off()
    figure.savefig(path, dpi=90)


def draw_scaling(gains, rows, parameters, path):
    """Bars of the gain from threads; time against rows, and against parameters, beside lines of slope one."""
    figure = Figure(figsize=(18, 5.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    bars, markers = ("#0072b2", "#e69f00"), "os"  # from Okabe and Ito's palette for every eye
    for i, (case, gain) in enumerate(gains.items()):
        at = np.arange(len(gain)) + 0.4 * (i - 0.5)
        together, side_by_side = zip(*gain.values(), strict=True)
        left.bar_label(left.bar(at, together, 0.38, label=case, color=bars[i]), fmt="%.2f", label_type="center")
        label = f"{THREADS} nets side by side" if i == 0 else None
        left.scatter(at, side_by_side, s=300, marker="_", color="black", label=label)
    left.axhline(1, color="grey", lw=1)
    left.set_xticks(range(len(gain)), [net.name for net in gain], rotation=20)
    left.set(ylim=(0, THREADS + 0.6), title=f"Time on one thread / on {THREADS}")
    left.legend(loc="upper left", ncols=3, frameon=False)
    for (net, seconds), colour, marker in zip(rows.items(), bars, markers, strict=True):
        middle.loglog(ROWS, seconds, marker=marker, color=colour, label=net.title)
        middle.loglog(ROWS, [seconds[-1] * m / ROWS[-1] for m in ROWS], ":", color=colour, lw=1)
    middle.set(xlabel="rows", ylabel="seconds", title="predict, one thread; dotted: linear in rows")
    middle.legend(frameon=False)
    sizes, seconds = list(parameters), list(parameters.values())
    right.loglog(sizes, seconds, marker="o", color=bars[0], label=f"w-w-w-w relu, Adam, batch {SQUARE_BATCH}")
    right.loglog(sizes, [seconds[-1] * n / sizes[-1] for n in sizes], ":", color=bars[0], lw=1)
    right.set(xlabel="parameters", ylabel="seconds", title="Training step, one thread; dotted: linear in parameters")
    right.legend(frameon=False)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=90)


def place(point):
    case, width, batch = point
    return f"{case}, width {width}, batch {batch}"


def points(grid, found, name):
    """Markdown: a line for each point of a rule."""
    return "".join(f"- {place(p)}: {getattr(grid.points[p], name):.2f}\n" for p in found) or "None.\n"


def pairs(found):
    """Markdown: a line for each point that is slow beside its larger neighbour."""
    lines = ""
    for (point, (_, width, batch)), pair in found.items():
        lines += (
            f"- {place(point)}: {digits(pair.gflops)} GFLOP/s, where width {width}, batch {batch} goes at "
            f"{digits(pair.larger)}\n"
        )
    return lines or "None.\n"


def report(grid, command, load):
    slower, threads = grid.slower(), grid.threads()
    beyond = {points: pair for points, pair in grid.cliffs.items() if pair.beyond}
    ratios = {case: [t.ratio for point, t in grid.points.items() if point[0] == case] for case in CASES}
    constants = "\n".join(
        f"| {names} | {case} of {net.name}, batch {net.batch} | {share:.3g} |"
        for (names, (net, case)), share in zip(CONSTANTS.items(), shares().values(), strict=True)
    )
    spread = "\n".join(
        f"- {case}: {min(found):.2f} to {max(found):.1f}, half of the points above {median(found):.1f}"
        for case, found in ratios.items()
    )
    return f"""\
# The grid

{len(grid.points)} points: nets w-w-w-w (relu, half squared error, Adam, float32) of {len(grid.widths)} widths, times
{len(grid.batches)} batches, times `predict` and a training step. `bench/grid.py` says how each is timed.

| rule | points that break it |
| --- | ---: |
| not slower than NumPy, one thread | {len(slower)} |
| {THREADS} threads not slower than one (ratio below {ENOUGH}) | {len(threads)} |
| at least half the GFLOP/s of the next larger width or batch | {len(grid.cliffs)} |
| the same beyond the cost of a call | {len(beyond)} |

NumPy's time / fastmlp's time:

{spread}

## Slower than NumPy

NumPy's time / fastmlp's time:

{points(grid, slower, "ratio")}
## Slower with {THREADS} threads

Time on one thread / with {THREADS} threads:

{points(grid, threads, "speedup")}
## Less than half the rate of a larger neighbour, beyond the cost of a call

{pairs(beyond)}
## Constants that only speed depends on

Floating-point operations a second of a case that feels them, as a share of those of NumPy's product of two matrices
{SQUARE} x {SQUARE}, on one thread. A number that falls from one commit to the next points to its constant.

| constant | case | share |
| --- | --- | ---: |
{constants}
{run.circumstances(command)}
- {load:.1f} other programs at work when it began
"""


def main():
    parser = argparse.ArgumentParser(description="Look for cliffs over widths and batches.")
    parser.add_argument("--quick", action="store_true", help="a corner of the grid, and nothing is written")
    quick = parser.parse_args().quick
    command, load = "make grid" + " QUICK=1" * quick, os.getloadavg()[0]
    with twins.one_thread():
        if quick:
            print(report(Grid(WIDTHS[:12:3], BATCHES[::4], 1, SECONDS / 4), command, load))
            print("A corner, timed in haste: these times are rough, and were not written to a file.")
            return
        grid = Grid(WIDTHS, BATCHES, PASSES, SECONDS)
        text = report(grid, command, load)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "grid.md").write_text(text)
        draw_grid(grid, RESULTS / "grid.png")
        draw_scaling(speedups(), seconds_of_rows(), seconds_of_parameters(), RESULTS / "scaling.png")
    print(f"{text}\nwritten to {os.path.relpath(RESULTS)}: grid.md, grid.png, scaling.png")


if __name__ == "__main__":
    main()
