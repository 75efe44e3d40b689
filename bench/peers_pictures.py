"""Two pictures of what peers.py has measured: how many times as long as fastmlp each peer takes, case by case.

A ratio is a distance on a logarithmic axis, so that twice as slow and twice as fast are equally far from 1. Each dot
has a line and a number of its own, and each library a shape besides its colour, which are those that Okabe and Ito
chose for eyes that see colours differently.
"""

LOOKS = {
    "NumPy": ("#000000", "o"),
    "scikit-learn": ("#E69F00", "s"),
    "torch": ("#D55E00", "^"),
    "torch.compile": ("#CC79A7", "v"),
    "JAX": ("#0072B2", "D"),
    "ONNX Runtime": ("#009E73", "P"),
}
PICTURES = {
    "train": ("peers-training", "One Adam training step: each peer's time as a multiple of fastmlp's"),
    "predict": ("peers-prediction", "Prediction: each peer's time as a multiple of fastmlp's"),
}


def draw(times, folder, build):
    """Write both pictures, from {threads: {case: {library: seconds}}}, of this build of fastmlp."""
    for kind, (name, title) in PICTURES.items():
        picture(times, kind, title).savefig(folder / f"{name}-{build}.png", dpi=110)


def picture(times, kind, title):
    from matplotlib.figure import Figure

    cases = [case for case in next(iter(times.values())) if case.kind == kind]
    libraries = [library for library in LOOKS if library in times[next(iter(times))][cases[0]]]
    height = len(libraries) + 1.2  # of a case, in lines of one library each
    figure = Figure(figsize=(11, 1.5 + 0.17 * height * len(cases)), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=13)
    panels = figure.subplots(1, len(times), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (threads, by_case) in zip(panels, times.items(), strict=True):
        for i, case in enumerate(cases):
            if i % 2:
                axes.axhspan(i * height, (i + 1) * height, color="#F0F0F0", zorder=0)
            for j, library in enumerate(libraries):
                ratio = by_case[case][library] / by_case[case]["fastmlp"]
                color, marker = LOOKS[library]
                y = i * height + j + 1.1
                axes.plot([1, ratio], [y, y], color=color, linewidth=1.5, solid_capstyle="butt", zorder=2)
                label = library if i == 0 else None
                axes.plot(ratio, y, marker, color=color, markersize=5.5, linestyle="none", label=label, zorder=3)
                offset, side = ((6, 0), "left") if ratio >= 1 else ((-6, 0), "right")
                at = {"xytext": offset, "textcoords": "offset points", "ha": side, "va": "center", "fontsize": 8}
                axes.annotate(f"{ratio:.{2 if ratio < 1 else 1 if ratio < 9.95 else 0}f}", (ratio, y), **at)
        axes.axvline(1, color="black", linewidth=1, zorder=1)
        axes.set_title(f"{threads} thread{'s' * (threads > 1)}", fontsize=11)
        axes.set(xscale="log", ylim=(height * len(cases), 0), xlabel="times fastmlp's time; 1 is as fast")
        axes.set_yticks([(i + 0.5) * height for i in range(len(cases))], [label_of(case) for case in cases])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", which="major", alpha=0.4)
        axes.spines[["top", "right", "left"]].set_visible(False)
    ratios = [
        seconds / by_case[case]["fastmlp"]
        for by_case in times.values()
        for case in cases
        for seconds in by_case[case].values()
    ]
    panels[0].set_xlim(min(ratios) / 2.2, max(ratios) * 2)
    panels[0].xaxis.set_major_formatter("{x:g}×")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=10)
    return figure


def label_of(case):
    """Two lines."""
    if case.kind == "train":
        return f"{case.net.title}\nbatch {case.net.batch:,}"
    return f"{case.net.title}\n" + ("one sample" if case.rows == 1 else f"{case.rows:,} rows")
