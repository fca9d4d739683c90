"""Probabilities and accuracy over the snapshots of a run."""

import numpy as np

from vitdemo.figures.snapshots import over_training


def test_over_training_has_a_line_for_each_class_and_for_accuracy():
    probabilities = {"cat": np.array([0.1, 0.2, 0.9]), "dog": np.array([0.5, 0.4, 0.1])}
    accuracy = [0.1, 0.3, 0.8]
    figure = over_training([0.1, 1, 80], probabilities, accuracy, chosen=1, height=200)
    assert [(line.name, list(line.y)) for line in figure.data] == [
        ("probability of cat", [0.1, 0.2, 0.9]),
        ("probability of dog", [0.5, 0.4, 0.1]),
        ("validation accuracy", accuracy),
    ]
    assert all(list(line.x) == [0.1, 1, 80] for line in figure.data)
    assert [shape.x0 for shape in figure.layout.shapes] == [1]
    assert len({line.line.color for line in figure.data}) == 3
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("0.1", "1", "80")
