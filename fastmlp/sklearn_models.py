"""Estimators of scikit-learn and nets: a net of a fitted MLP of theirs, and a fitted MLP of theirs of one of ours.

Theirs is put together, not trained: its parameters are those of ours that it has, too, and all that its own `fit`
would have left for its methods to read is set here. Not here: the state of an optimizer, of which theirs begins anew.
"""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from fastmlp.estimator_base import CompiledMLP
from fastmlp.estimator_parameters import ACTIVATIONS, LOSSES
from fastmlp.estimator_scaling import Standard

if TYPE_CHECKING:
    from fastmlp.mlp import MLP

# What theirs has: activations by our names, and the values of what decides whether it can be this model.
_ACTIVATIONS = {ACTIVATIONS.get(name, name): name for name in ("identity", "logistic", "tanh", "relu")}
_OUTPUTS = "identity", "logistic", "softmax", "exp"
_LOSSES = "squared_error", "poisson"  # of a regression
_SOLVERS = "lbfgs", "sgd", "adam"


def from_sklearn(kind: "type[MLP]", model: Any) -> "MLP":
    """The net of a fitted estimator; see `MLP.from_sklearn`."""
    if isinstance(model, CompiledMLP):
        return model.to_mlp()
    if not isinstance(model, (neural_network.MLPClassifier, neural_network.MLPRegressor)):
        raise TypeError(
            f"model is {type(model).__name__}; expected an MLPClassifier or MLPRegressor, of a pipeline its last step"
        )
    check_is_fitted(model)
    _check_shapes(model)
    is_single = all(np.asarray(array).dtype == np.float32 for array in (*model.coefs_, *model.intercepts_))
    names: dict[str, Any] = {
        "activation": ACTIVATIONS.get(model.activation, model.activation),
        "output": ACTIVATIONS.get(model.out_activation_, model.out_activation_),
        "loss": LOSSES.get(model.loss, model.loss),
    }
    return kind.from_parameters(model.coefs_, model.intercepts_, **names, dtype="float32" if is_single else "float64")


def _check_shapes(model: Any) -> None:
    """An error where arrays that somebody has put there are no layers of this model."""
    shapes = [np.shape(array) for array in (*model.coefs_, *model.intercepts_)]
    if len(model.coefs_) != len(model.intercepts_) or not model.coefs_:
        raise ValueError(
            f"coefs_ has {len(model.coefs_)} arrays, and intercepts_ {len(model.intercepts_)}; expected one for each "
            "layer"
        )
    if shapes[0][:1] != (model.n_features_in_,) or shapes[-1] != (model.n_outputs_,):
        raise ValueError(
            f"coefs_ and intercepts_ have shapes {shapes}; expected those of {model.n_features_in_} inputs, as "
            f"n_features_in_ says, and {model.n_outputs_} outputs, as n_outputs_ does"
        )


def to_sklearn(model: CompiledMLP) -> Any:
    """The fitted estimator of scikit-learn; see `MLPClassifier.to_sklearn`."""
    check_is_fitted(model)
    kind = neural_network.MLPClassifier if is_classifier(model) else neural_network.MLPRegressor
    known = kind().get_params()
    _check_that_theirs_has_all(model, kind.__name__, "loss" in known)
    net = model._net()
    given = {name: copy.deepcopy(value) for name, value in model.get_params().items() if name in known}
    given["activation"] = _ACTIVATIONS[net.activation[0]] if net.activation else "relu"
    if model.n_layers is not None or model.width is not None:
        given["hidden_layer_sizes"] = net.sizes[1:-1]
    if model.solver not in _SOLVERS:
        given["solver"] = known["solver"]
    theirs = kind(**given)
    theirs.coefs_ = [np.array(W) for W in net.weights]
    theirs.intercepts_ = [np.array(b) for b in net.biases]
    theirs.out_activation_ = model.out_activation_
    theirs.n_features_in_, *_, theirs.n_outputs_ = net.sizes
    theirs.n_layers_ = len(net.sizes)
    if "feature_names_in_" in model.__dict__:
        theirs.feature_names_in_ = model.feature_names_in_.copy()
    if is_classifier(model):
        theirs._label_binarizer = LabelBinarizer().fit(_all_labels(model))
        theirs.classes_ = theirs._label_binarizer.classes_
    theirs.__dict__.update(_records(model))
    # With which early_stopping ends, if no later epoch is better.
    theirs._best_coefs = [W.copy() for W in theirs.coefs_]
    theirs._best_intercepts = [b.copy() for b in theirs.intercepts_]
    return theirs


def _check_that_theirs_has_all(model: CompiledMLP, name: str, has_losses: bool) -> None:
    """An error that lists what a prediction of the model needs and theirs has not."""
    hidden, output = model._forward_description()
    hidden = [hidden] * (len(model.coefs_) - 1) if isinstance(hidden, str) else hidden
    names = sorted({ACTIVATIONS.get(one, one) for one in hidden})
    obstacles = [f"activation {one!r}" for one in names if one not in _ACTIVATIONS]
    if len(names) > 1:
        obstacles.append(f"different activations {', '.join(names)}")
    if output not in _OUTPUTS:
        obstacles.append(f"output {output!r}")
    if not is_classifier(model):
        if model.loss not in _LOSSES:
            obstacles.append(f"loss {model.loss!r}")
        elif model.loss == "poisson" and not has_losses:
            obstacles.append("loss 'poisson' before its version 1.7")
    for what, of in zip(("X", "y"), model._scalings(), strict=True):
        if of is not None and not isinstance(of, Standard):
            obstacles.append(f"{what} scaled by a {of.name}")
    if obstacles:
        raise ValueError(f"this model is no {name} of scikit-learn, which has no\n  " + "\n  ".join(obstacles))


def _all_labels(model: CompiledMLP) -> Any:
    """A y of which `fit` would learn what the labels are."""
    outputs = len(model.intercepts_[-1])
    if model.out_activation_ == "softmax" or outputs == 1:
        return model.classes_
    rows = np.eye(outputs, dtype=int)
    return csr_matrix(rows) if model.__dict__.get("_sparse_labels") else rows


def _records(model: CompiledMLP) -> dict[str, Any]:
    """What a fit kept record in, so that another one can go on with it."""
    records = model._nothing_learned()
    del records["validation_curve_"]
    known = {name: model.__dict__[name] for name in (*records, "loss_") if name in model.__dict__}
    records |= copy.deepcopy(known)
    if model.early_stopping and records["validation_scores_"] is None:  # it was the loss that decided
        records |= {"validation_scores_": [], "best_validation_score_": -np.inf}
    if not model.early_stopping and records["best_loss_"] is None:
        records["best_loss_"] = min(records["loss_curve_"], default=np.inf)
    return records
