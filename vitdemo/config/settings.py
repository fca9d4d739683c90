"""Declaring and checking settings. A setting is declared once, as a field of a configuration."""

from dataclasses import dataclass, field, fields


class ConfigError(ValueError):
    """Input that cannot be used. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class Setting:
    """One field of a configuration, as the command line, the pages and the checks read it."""

    name: str
    type: type
    default: int | float | str
    help: str  # what it does to the model or the run
    limits: tuple | None  # smallest and largest value of a number
    choices: tuple[str, ...]  # possible values of a string


def setting(default, help: str, limits: tuple | None = None, choices: tuple[str, ...] = ()):
    """Declare a field of a configuration: its default, its help and its possible values."""
    return field(default=default, metadata={"help": help, "limits": limits, "choices": choices})


def settings_of(kind: type) -> dict[str, Setting]:
    """Return the settings of a configuration class by name."""
    return {f.name: Setting(f.name, f.type, f.default, **f.metadata) for f in fields(kind)}


def check_each(config) -> None:
    """Check that every field has the right type and an allowed value.

    Raises:
        ConfigError: a value is out of its limits or not among its choices.
    """
    for name, wanted in settings_of(type(config)).items():
        value = getattr(config, name)
        if wanted.choices:
            if value not in wanted.choices:
                raise ConfigError(f"{name} must be {one_of(wanted.choices)}, not {shown(value)}.")
            continue
        low, high = wanted.limits
        kind, types = ("a whole number", int) if wanted.type is int else ("a number", (int, float))
        is_number = isinstance(value, types) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # a comparison with NaN is False
            raise ConfigError(
                f"{name} must be {kind} from {low:g} to {high:,}, not {shown(value)}."
            )


def config_from_dict(kind: type, values: dict):
    """Return a configuration from its fields in a file or a URL.

    Args:
        kind: `ModelConfig` or `TrainConfig`.
        values: field -> value; missing fields take their defaults.

    Raises:
        ConfigError: a field is unknown, or its value cannot be used.
    """
    if not isinstance(values, dict):
        raise ConfigError(
            f"{kind.__name__} is read from a mapping of fields to values, not {shown(values)}."
        )
    names = [f.name for f in fields(kind)]
    unknown = sorted(set(values) - set(names), key=str)
    if unknown:
        raise ConfigError(f"{kind.__name__} has no field {shown(unknown[0])}. Use {one_of(names)}.")
    return kind(**values)


def divisors(number: int) -> list[int]:
    """Return all divisors of `number` in ascending order."""
    return [d for d in range(1, number + 1) if number % d == 0]


def one_of(values) -> str:
    """Format values as `4, 8 or 16`."""
    *first, last = [str(value) for value in values]
    return f"{', '.join(first)} or {last}" if first else last


def shown(value) -> str:
    """Format a value for a message, cut to 40 characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python prints no integer of 5,000 digits
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= 40 else text[:37] + "..."
