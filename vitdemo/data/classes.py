"""Names of the classes that images belong to: checked, and never two of them equal."""

from functools import lru_cache

from ..config import ConfigError

LONGEST = 200  # characters of a name


def checked_names(names) -> tuple[str, ...]:
    """Return names of classes, given in any order of texts, as a tuple.

    Raises:
        ConfigError: they are not texts of 1 to LONGEST characters.
    """
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise ConfigError(f"Names of classes must be a list of texts, not {type(names).__name__}.")
    names = tuple(names)
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST:
            raise ConfigError(f"The name of a class must be a text of 1 to {LONGEST} characters.")
        try:
            name.encode()  # half of a surrogate pair is in no encoding, but JSON can hold it
        except UnicodeEncodeError as error:
            raise ConfigError("The name of a class holds half a character.") from error
    return names


@lru_cache(maxsize=64)
def name_each(names: tuple[str, ...], num_classes: int) -> tuple[str, ...]:
    """Return one name for each class: one that is given, otherwise "class" and its number.

    A name that an earlier class has is followed by the number of the class, as "crane (517)": two
    classes of ImageNet are called "crane".
    """
    found = {}  # in the order of the classes; the values are not used
    for k in range(num_classes):
        name = names[k] if k < len(names) else f"class {k}"
        while name in found:
            name = f"{name} ({k})"
        found[name] = k
    return tuple(found)
