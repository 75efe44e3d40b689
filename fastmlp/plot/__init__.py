"""Pictures of nets, of their training and of what they are made of; they need matplotlib, the extra `plot`.

Each function draws on `ax`, or on a new figure if none is given, and returns the Axes. None shows a window or changes
a setting of matplotlib, and matplotlib is first imported when one is called. Signs are blue (positive) and orange
(negative), and what differs in colour differs in width, line style, marker or place as well. Keys and colour bars
stand beside what is drawn: a figure of your own needs layout="constrained" to have room for them.

In order of dependence: canvas (what pictures share), diagrams (nets and graphs), regions (decision boundaries),
curves (activations), learning (losses and histograms over epochs), images (weights, confusion matrices).
"""

from fastmlp.plot.curves import activations
from fastmlp.plot.diagrams import graph, network
from fastmlp.plot.images import confusion_matrix, first_layer
from fastmlp.plot.learning import Recorder, histograms, loss
from fastmlp.plot.regions import decision_boundary

__all__ = [
    "Recorder",
    "activations",
    "confusion_matrix",
    "decision_boundary",
    "first_layer",
    "graph",
    "histograms",
    "loss",
    "network",
]
