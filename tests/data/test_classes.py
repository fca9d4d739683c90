"""Names of classes: checked, one for each class, and no two equal."""

import pytest

from vitdemo.config import ConfigError
from vitdemo.data.cifar10 import CLASSES, Data, load_cifar10
from vitdemo.data.classes import LONGEST, checked_names, name_each


@pytest.mark.parametrize(
    ("names", "num_classes", "expected"),
    [
        (("cat", "dog"), 2, ("cat", "dog")),
        (("cat",), 3, ("cat", "class 1", "class 2")),
        ((), 2, ("class 0", "class 1")),
        (("cat", "dog", "elk"), 2, ("cat", "dog")),
        (("crane", "cat", "crane"), 3, ("crane", "cat", "crane (2)")),
        (("class 1",), 2, ("class 1", "class 1 (1)")),
        (("a (2)", "a", "a"), 3, ("a (2)", "a", "a (2) (2)")),
    ],
)
def test_each_class_has_a_name_of_its_own(names, num_classes, expected):
    assert name_each(names, num_classes) == expected
    assert name_each(expected, num_classes) == expected


def test_cifar10_has_names_and_ones_own_arrays_may_have_some():
    data = load_cifar10(20, 10)
    assert data.classes == CLASSES
    assert load_cifar10(20, 10, "train").classes == CLASSES
    assert Data(data.train, data.validation).classes == ()
    assert Data(data.train, data.validation, ["a", "b"]).classes == ("a", "b")


@pytest.mark.parametrize(
    "names",
    ["cat", 3, None, [1, 2], ["cat", None], [""], [" \n"], ["x" * (LONGEST + 1)], ["\ud800"]],
)
def test_names_that_are_no_texts_are_refused(names):
    with pytest.raises(ConfigError, match=r"class|Names"):
        checked_names(names)
    data = load_cifar10(20, 10)
    with pytest.raises(ConfigError):
        Data(data.train, data.validation, names)
