"""The data that the estimators are tried on, scaled as a net wants it, and what they have learned as one array.

Apart from cases.py, since scikit-learn is imported here: a process that counts threads or memory must do without it.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.preprocessing import StandardScaler


def scaled(data):
    X, y = data(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def iris():
    return scaled(load_iris)


def cancer():
    return scaled(load_breast_cancer)


def diabetes():
    X, y = scaled(load_diabetes)
    return X, y / 100


def several_labels(rows=100, features=4, classes=3):
    X, y = make_multilabel_classification(rows, n_features=features, n_classes=classes, random_state=0)
    return StandardScaler().fit_transform(X), y


def flat(estimator):
    return np.concatenate([array.ravel() for array in estimator.coefs_ + estimator.intercepts_])
