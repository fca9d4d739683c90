"""Probabilities and accuracy over the snapshots of a run."""

import numpy as np

from vitdemo.figures.snapshots import over_training, over_training_changes

from .read_figure import changed


def test_over_training_has_a_line_for_each_class_and_for_accuracy():
    probabilities = {"cat": np.array([0.1, 0.2, 0.9]), "dog": np.array([0.5, 0.4, 0.1])}
    accuracy = [0.1, 0.3, 0.8]
    figure = over_training([0.1, 1, 80], probabilities, accuracy, chosen=1, height=200)
    assert [(line.name, list(line.y)) for line in figure.data] == [
        ("probability of cat", [0.1, 0.2, 0.9]),
        ("validation accuracy", accuracy),
        ("probability of dog", [0.5, 0.4, 0.1]),
    ]
    assert all(list(line.x) == [0.1, 1, 80] for line in figure.data)
    assert [shape.x0 for shape in figure.layout.shapes] == [1]
    assert len({line.line.color for line in figure.data}) == 3
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("0.1", "1", "80")


def test_another_snapshot_changes_the_line_and_the_class_predicted_there():
    values = {name: np.array([0.1, 0.2, share]) for name, share in (("cat", 0.6), ("dog", 0.3))}
    epochs, accuracy = [0.1, 1, 80], [0.1, None, 0.8]
    both, alone = values, {"cat": values["cat"]}
    for old, new, chosen in ((both, alone, 2), (alone, both, 0), (both, both, 1)):
        first = over_training(epochs, old, accuracy, 1, height=200)
        changes = over_training_changes(epochs, new, chosen)
        expected = over_training(epochs, new, accuracy, chosen, height=200)
        assert changed(first, changes) == expected
