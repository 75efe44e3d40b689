"""fastmlp against its peers on real tables: what each predicts, and in what time; into bench/results/tables.md.

    make tables                              all that is missing; the peers alone take two hours of one core
    make tables ARGS="--tables ames,star --peers LightGBM,fastmlp --splits 5"
    make tables ARGS="--splits 0"            the summary of what is there
    make tables ARGS="--large"               tables of 1,000 to 200,000 rows, for their time and memory
    make tables ARGS="--pieces --splits 1"   what each piece of fastmlp's recipe brings; see tables_pieces.py
    make tables QUICK=1                      two small tables, one split, and nothing is kept

The tables stand in tables_data.py, the peers in tables_peers.py, with default parameters all of them. Here each of
them is fitted to each split of each table, in a process by itself, which is bound to one core and may take LIMIT
seconds of CPU time. What it found is a line of JSON in a file of results; what is there already is not done again
unless --again says so, so that a run may be ended and gone on with, and peers may be added. A fit that fails is a
line, too, and the summary names it: CatBoost's on krkopt, whose 18 classes take longer than the limit. The lines of
results/tables.md stand in results/tables.jsonl, from a copy of which --results goes on; those of 2026-11-30 are of an
AMD EPYC and of an Intel Xeon, both with AVX-512 and two cores, other work beside them.

The summary compares every peer with LightGBM on the splits that both have: the geometric mean, over tables, of the
ratio of errors, root mean square errors or log losses, each the mean of its splits. Its standard error is that over
the tables: how far the mean may move with other tables of this kind. Half a mistake is added to the mistakes of
everyone, so that a table without any has a ratio. Times are CPU seconds: others may have the core meanwhile.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import fmean, stdev

import data
import run
from tables_data import FIRST, LARGE, TABLES
from tables_peers import PEERS, THREADS, named_peer, serve
from tables_pieces import PIECES

RESULT = run.HERE / "results" / "tables.md"
LINES = data.CACHE / "tables.jsonl"
SPLITS = 3
LIMIT = 900  # CPU seconds
PATIENCE = 4  # times the limit, by the clock on the wall
REFERENCE = "LightGBM"
TIMES = "fit_cpu", "predict_us"
# Forked from a process that has imported what all of them need, and nothing of what they are compared by.
PROCESSES = multiprocessing.get_context("forkserver")
OF_LARGE = ["fastmlp", "LightGBM", "sklearn MLP"]
QUICK = {"tables": ["german credit", "insurance"], "peers": ["fastmlp", "LightGBM", "random forest"]}

# a fit


def fitted(table, split, peer):
    """A row of results, or one that says what went wrong."""
    ours, theirs = PROCESSES.Pipe(duplex=False)
    question = table, split, peer
    cores = os.sched_getaffinity(0)
    if table in TABLES:
        cores = {max(cores)}
    process = PROCESSES.Process(target=serve, args=(theirs, cores, LIMIT, *question), daemon=True)
    process.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(PATIENCE * LIMIT) else {"failed": f"not done after {PATIENCE * LIMIT} s"}
        process.kill()
    except EOFError:
        process.join()
        answer = {"failed": f"ended by {process.exitcode}, as it is after {LIMIT} s of CPU time"}
    process.join()
    return {"table": table, "split": split, "peer": peer} | answer


def kept(path):
    """The rows of a file, in the order in which they were found."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def told(row):
    if "failed" in row:
        return f"failed: {row['failed']}"
    measures = ("error", "log_loss", "rmse", "r2", "fit_cpu")
    return ", ".join(f"{name} {row[name]:.4g}" for name in measures if name in row)


def collect(tables, splits, peers, path, again):
    """Fit what is missing: peer after peer, all tables once before a table is taken again."""
    rows, processor = kept(path) if path else [], run.processor()
    done = set() if again else {(row["table"], row["split"], row["peer"]) for row in rows}
    for peer in peers:
        for split in range(splits):
            for table in tables:
                if (table, split, peer) in done:
                    continue
                row = fitted(table, split, peer) | {"processor": processor}
                rows.append(row)
                print(f"{peer:13} {split} {table:13} {told(row)}", flush=True)
                if path:
                    with path.open("a") as file:
                        file.write(json.dumps(row) + "\n")
    return rows


# the summary


class Found:
    """All rows, to be asked by table and peer. Of several of one fit the last counts; of times, of each processor."""

    def __init__(self, rows):
        self.all, self.rows, self.times = rows, defaultdict(dict), defaultdict(dict)
        for row in rows:
            if "failed" not in row:
                self.rows[row["table"], row["peer"]][row["split"]] = row
                self.times[row["table"], row["peer"]][row["split"], row["processor"]] = row
        failed = {(row["table"], row["peer"], row["split"]): row for row in rows if "failed" in row}
        self.failed = [row for at, row in failed.items() if at[2] not in self.rows.get(at[:2], ())]
        self.processors = Counter(row["processor"] for row in rows)
        there = {peer for _, peer in self.rows}
        self.peers = [peer for peer in PEERS if peer in there]
        self.pieces = [piece for piece in PIECES if piece in there]
        self.tables = [table for table in TABLES if any(key[0] == table for key in self.rows)]

    def of(self, tables):
        """The same, of these tables alone."""
        return Found([row for row in self.all if row["table"] in tables])

    def values(self, table, peer, measure):
        return [row[measure] for row in self.rows[table, peer].values() if measure in row]

    def pair(self, table, peer, measure, reference):
        """(the peer's mean, the reference's) of the splits that both have; None without any."""
        rows = self.times if measure in TIMES else self.rows  # times of one processor
        ours, theirs = rows[table, peer], rows[table, reference]
        both = [split for split in ours if measure in ours[split] and measure in theirs.get(split, ())]
        if not both:
            return None
        half = 0.5 / fmean(ours[split]["test_rows"] for split in both) / len(both) if measure == "error" else 0
        return tuple(fmean(side[split][measure] for split in both) + half for side in (ours, theirs))

    def ratios(self, peer, measures, reference=REFERENCE):
        """The peer over the reference, a ratio a table."""
        pairs = (self.pair(table, peer, measure, reference) for table in self.tables for measure in measures)
        return [ours / theirs for ours, theirs in filter(None, pairs)]


def mean_ratio(ratios):
    """The geometric mean with its standard error."""
    if not ratios:
        return "-"
    logs = [math.log(ratio) for ratio in ratios]
    mean = math.exp(fmean(logs))
    error = f" ± {mean * stdev(logs) / math.sqrt(len(logs)):.3f}" if len(logs) > 1 else ""
    return f"{mean:.3f}{error}"


def plain_mean(ratios):
    """The geometric mean alone, of times."""
    return f"{math.exp(fmean(map(math.log, ratios))):.2f}" if ratios else "-"


def ahead(ratios):
    return f"{sum(ratio < 1 for ratio in ratios)} of {len(ratios)}"


def summary(found):
    head = "error or RMSE", "ahead", "error", "RMSE", "log loss", "ahead", "CPU of fit", "time of prediction"
    lines = [("over LightGBM's", *head)]
    for peer in found.peers:
        both, losses = found.ratios(peer, ["error", "rmse"]), found.ratios(peer, ["log_loss"])
        quality = (found.ratios(peer, [measure]) for measure in ("error", "rmse"))
        times = (found.ratios(peer, [measure]) for measure in TIMES)
        cells = [mean_ratio(both), ahead(both), *map(mean_ratio, quality), mean_ratio(losses), ahead(losses)]
        lines.append((peer, *cells, *map(plain_mean, times)))
    return run.markdown(lines, 1)


def of_fastmlp(found):
    """A line a peer: fastmlp over it."""
    lines = [("fastmlp over", "error or RMSE", "ahead", "log loss", "ahead", "CPU of fit", "time of prediction")]
    for peer in found.peers:
        quality = (found.ratios("fastmlp", measures, peer) for measures in (["error", "rmse"], ["log_loss"]))
        times = (found.ratios("fastmlp", [measure], peer) for measure in TIMES)
        cells = [cell for ratios in quality for cell in (mean_ratio(ratios), ahead(ratios))]
        if peer != "fastmlp":
            lines.append((peer, *cells, *map(plain_mean, times)))
    return run.markdown(lines, 1)


def of_pieces(found):
    """A line a piece: what it changes without it, or with it where the recipe does without it."""
    lines = [("", "of", "error or RMSE", "ahead", "log loss", "ahead", "CPU of fit")]
    for name in found.pieces:
        of = PIECES[name].of
        quality = found.ratios(name, ["error", "rmse"], of), found.ratios(name, ["log_loss"], of)
        cpu = found.ratios(name, ["fit_cpu"], of)
        cells = [cell for ratios in quality for cell in (mean_ratio(ratios), ahead(ratios))]
        lines.append((name, of, *cells, plain_mean(cpu)))
    return run.markdown(lines, 2)


def each(found, tables, measure, factor=1.0, digits=None):
    """A line a table: the mean ± the standard deviation of the splits; without the latter if digits are given."""
    lines = [("table", *found.peers)]
    for table in tables:
        cells = []
        for peer in found.peers:
            values = [factor * value for value in found.values(table, peer, measure)]
            cells.append(spread(values, digits) if values else "-")
        lines.append((table, *cells))
    return run.markdown(lines, 1)


def spread(values, digits):
    mean = fmean(values)
    if digits is not None:
        return f"{mean:,.{digits}f}"
    places = max(0, 3 - math.floor(math.log10(abs(mean)))) if mean else 3
    return f"{mean:.{places}f}" + (f" ± {stdev(values):.{places}f}" if len(values) > 1 else "")


def large(found):
    """A line a peer for each of the tables of LARGE, of its first split."""
    lines = [("table", "peer", "error % or RMSE", "log loss", "seconds", "CPU seconds", "memory MiB", "µs a row")]
    for table in LARGE:
        for peer in found.peers:
            if row := found.rows[table, peer].get(0):
                measures = (row["rmse"], None) if "rmse" in row else (100 * row["error"], row["log_loss"])
                times = row["fit_wall"], row["fit_cpu"], row["fit_mib"], row["predict_us"]
                cells = ["-" if x is None else f"{x:.4g}" for x in measures]
                lines.append((table, peer, *cells, *(f"{x:,.1f}" for x in times)))
    return run.markdown(lines, 2)


def what_there_is(tables):
    lines = [("table", "target", "source", "licence", "classes", "rows", "columns", "categories", "holes %")]
    for name in tables:
        table = TABLES[name]
        counts = f"{table.classes or '-'}", f"{table.rows:,}", f"{table.columns}", f"{table.categories}"
        rows = f"{counts[1]}, drawn" if table.sample else counts[1]
        lines.append(
            (name, table.target, table.source, table.licence, counts[0], rows, *counts[2:], f"{table.holes:.1f}")
        )
    return run.markdown(lines, 4)


def report(found, command):
    sorted_out = [[name for name in found.tables if bool(TABLES[name].classes) is kind] for kind in (True, False)]
    classes, numbers = sorted_out
    two = [name for name in classes if TABLES[name].classes == 2]
    counts = [len(splits) for splits in found.rows.values() if splits]
    splits = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{max(counts)}"
    versions = {
        f"{named_peer(peer).package} {row['version']}"
        for (_, peer), splits in found.rows.items()
        for row in splits.values()
    }
    failures = "\n".join(
        f"- {row['peer']}, {row['table']}, split {row['split']}: {row['failed']}" for row in found.failed
    )
    return f"""\
# Real tables

{len(found.tables)} tables, each split at random into four fifths for training and a fifth for the test, \
{splits} times. Everyone has default parameters and one thread, and prepares its own data: LightGBM and CatBoost
are given categories as such; the forest codes of them and medians in the holes; scikit-learn's MLP one column a
category, medians, everything scaled, and scaled targets; RealMLP-TD-S medians, and a column for each that had holes.
[bench/tables.py](../tables.py) says how they are compared, [bench/tables_peers.py](../tables_peers.py) what exactly
runs.

Geometric means over all tables with their standard errors; below 1 is better than LightGBM. "Ahead" counts tables.

{summary(found)}

{of_fastmlp(found)}

The same over {len(FIRST)} of the tables, on which the recipe was first looked at: {", ".join(FIRST)}.

{summary(found.of(FIRST))}

{of_fastmlp(found.of(FIRST))}

## What each piece brings

The recipe of fastmlp with one piece changed, over the whole recipe, on the same splits: above 1 the piece brings
something. Then RealMLP-TD-S with a piece more that fastmlp does without, over RealMLP-TD-S: below 1 it would bring
something. [bench/tables_pieces.py](../tables_pieces.py) has them.

{of_pieces(found)}

## Error of classification, percent

{each(found, classes, "error", 100)}

## Log loss

{each(found, classes, "log_loss")}

## Area under the ROC curve, two classes

{each(found, two, "auc")}

## Root mean square error

{each(found, numbers, "rmse")}

## R²

{each(found, numbers, "r2")}

## CPU seconds of a fit

{each(found, found.tables, "fit_cpu", digits=2)}

## Microseconds of CPU to predict a row

{each(found, found.tables, "predict_us", digits=1)}

## What a table takes, by its rows

Four fifths of the rows are for training. fastmlp has all cores, as it has by default, the others one thread. The
memory is what a fit takes besides what the process had before it.

{large(found)}

## Fits that failed

{failures or "None."}

## The tables

Where it says "drawn", so many rows were drawn at random from more, for everyone the same.
[bench/tables_data.py](../tables_data.py) says where each comes from, and which columns it does without.

{what_there_is(found.tables)}

{run.circumstances(command)}
- fits {", ".join(f"{fits} on {processor}" for processor, fits in found.processors.items())}; ratios of times are of
  fits on one of them, and the seconds are of the last that a fit was made on
- {", ".join(sorted(versions))}
"""


def listed(known):
    """The type of an argument that names several of the known, with commas between."""

    def names(text):
        asked = text.split(",")
        if unknown := [name for name in asked if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown} among {text!r}; expected some of {', '.join(known)}")
        return asked

    return names


def main():
    parser = argparse.ArgumentParser(description="Compare fastmlp with its peers on real tables.")
    parser.add_argument("--quick", action="store_true", help="two small tables, one split, and nothing is kept")
    parser.add_argument("--tables", type=listed(TABLES), default=list(TABLES), help="names with commas between")
    parser.add_argument(
        "--peers", type=listed([*PEERS, *PIECES]), default=list(PEERS), help="names with commas between"
    )
    parser.add_argument(
        "--splits",
        type=int,
        default=SPLITS,
        help=f"of each table (default: {SPLITS}); with 0 nothing is fitted, and the summary written anew",
    )
    parser.add_argument("--results", type=Path, default=LINES, help="a line of JSON a fit (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help=f"{', '.join(LARGE)}, by {', '.join(OF_LARGE)}")
    parser.add_argument("--pieces", action="store_true", help=f"in place of peers: {', '.join(PIECES)}")
    parser.add_argument("--again", action="store_true", help="fit what is in the results already, too")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]  # which may name a slower kernel than the processor has
    os.environ |= ({} if options.large else THREADS) | {
        "PYTHONPATH": os.pathsep.join([str(run.HERE), os.environ.get("PYTHONPATH", "")])
    }
    PROCESSES.set_forkserver_preload(["__main__", "tables_peers"])
    peers = QUICK["peers"] if options.quick else list(PIECES) if options.pieces else options.peers
    if options.quick:
        found = Found(collect(QUICK["tables"], 1, peers, None, True))
        print(f"\n{report(found, 'make tables QUICK=1')}\nOne split: this was not written to a file.")
        if found.failed:
            sys.exit(f"{len(found.failed)} fits failed")
        return
    options.results.parent.mkdir(exist_ok=True)
    if options.large:
        options.tables, options.splits = list(LARGE), min(1, options.splits)
        peers = [peer for peer in OF_LARGE if peer in peers]
    rows = collect(options.tables, options.splits, peers, options.results, options.again)
    RESULT.write_text(report(Found(rows), "make tables"))
    print(f"written to {os.path.relpath(RESULT)}")


if __name__ == "__main__":
    main()
