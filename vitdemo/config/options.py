"""The options of the command line, and what to say about options that do not exist."""

import argparse
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path

from .model_config import ModelConfig
from .presets import PRESETS
from .settings import ConfigError, one_of, settings_of
from .train_config import TrainConfig

DEFAULT_PRESET = "recommended"


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, and suggests an option for an unknown one."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def parse_args(self, arguments=None, namespace=None) -> argparse.Namespace:
        """Return the options. Unknown ones end the program with the options meant."""
        options, unknown = self.parse_known_args(arguments, namespace)
        if unknown:
            wrong = next((word for word in unknown if word.startswith("-")), unknown[0])
            command = options.parser
            command.error(_unknown(wrong.split("=")[0], list(command._option_string_actions)))
        return options


def _unknown(wrong: str, known: list[str]) -> str:
    """Return a message about an unknown option, or about a word that is no option."""
    if not wrong.startswith("-"):
        return f"{wrong} is not expected here. --help lists all options."
    meant = nearest_options(wrong, known)
    advice = f"Did you mean {one_of(meant)}?" if meant else "--help lists all options."
    return f"There is no option {wrong}. {advice}"


def nearest_options(wrong: str, known: list[str]) -> list[str]:
    """Return the options that an unknown one may mean, at most three.

    They are spelled nearly the same, have its letters as initials (--lr) or it as a word (--heads).
    """
    name = wrong.lower().strip("-").replace("_", "-")
    words = {option: option.strip("-").split("-") for option in known if option.startswith("--")}
    nearly_same = get_close_matches(f"--{name}", words, n=3, cutoff=0.9)
    initials = [o for o, parts in words.items() if name == "".join(part[0] for part in parts)]
    as_word = [o for o, parts in words.items() if {name, f"{name}s"} & set(parts)]
    similar = get_close_matches(f"--{name}", words, n=1, cutoff=0.65)
    return (nearly_same or initials or as_word or similar)[:3]


def parser() -> argparse.ArgumentParser:
    """Return the parser. Every field of ModelConfig and TrainConfig is an option."""
    top = Parser(prog="python -m vitdemo", description="Train and evaluate a Vision Transformer.")
    commands = top.add_subparsers(dest="command", required=True)
    for name, add_options, text in (
        ("train", _add_train, "Train a model on CIFAR-10. The app lists the run, too."),
        ("evaluate", _add_evaluate, "Evaluate a checkpoint on CIFAR-10 test images."),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(parser=command)
        add_options(command)
    return top


def _add_train(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--preset",
        choices=PRESETS,
        help="Values of all settings that are not given below: the paper's code (annotation), the "
        "same model with a better recipe (recommended), or a model on convolutions (hybrid). "
        f"Default: {DEFAULT_PRESET}.",
    )
    add("--full", action="store_true", help="Use all of CIFAR-10; download it (170 MB) if needed.")
    add(
        "--resume",
        metavar="RUN",
        help="Resume the run with this id after its last epoch, with its own settings.",
    )
    add(
        "--threads",
        type=int,
        metavar="N",
        help="Number of torch threads. Default: all cores, or as many as the resumed run had.",
    )
    add("--json", type=Path, metavar="FILE", help="Write the metrics to FILE, one line per epoch.")
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="Save the model and its model card to FILE, which ends in .safetensors.",
    )
    add("--half", action="store_true", help="Save that checkpoint in half precision (16 bits).")
    add(
        "--snapshots",
        type=Path,
        metavar="FOLDER",
        help="Copy the snapshots of the model, saved during training, to FOLDER.",
    )
    for title, kind in (("model settings", ModelConfig), ("training settings", TrainConfig)):
        group = command.add_argument_group(title)
        for name, setting in settings_of(kind).items():
            group.add_argument(
                option_of(name),
                dest=name,
                type=setting.type,
                choices=setting.choices or None,
                metavar=None if setting.choices else setting.type.__name__.upper(),
                help=setting.help.replace("%", "%%"),
            )


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "checkpoint", type=Path, help="Checkpoint of this project, a .safetensors file."
    )
    images = command.add_mutually_exclusive_group()
    images.add_argument(
        "--validation-images",
        type=int,
        default=1000,
        metavar="N",
        help="Use the first N test images. Default: 1000.",
    )
    images.add_argument(
        "--full",
        action="store_true",
        help="Use all 10,000 test images; download CIFAR-10 (170 MB) if needed.",
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="Write the metrics to FILE.")


def option_of(name: str) -> str:
    """Return the option of a setting: `--embed-dim` for embed_dim."""
    return "--" + name.replace("_", "-")


def configs(options: argparse.Namespace) -> tuple[ModelConfig, TrainConfig]:
    """Return the preset, changed by the options that were given."""
    model, training = PRESETS[options.preset or DEFAULT_PRESET]
    if options.full:
        training = replace(training, train_images=50_000, validation_images=10_000)
    return replace(model, **_given(options, model)), replace(training, **_given(options, training))


def check_resumed(options: argparse.Namespace, run) -> None:
    """Refuse options that a resumed run would ignore, as it has settings of its own.

    Raises:
        ConfigError: the message names the first of them.
    """
    for name in ("preset", "full"):
        if getattr(options, name):
            raise ConfigError(
                f"Run {run.id} resumes with its own settings and images, so --{name} has no "
                f"effect. Leave out --{name}."
            )
    for config in (run.model, run.training):
        for name, value in _given(options, config).items():
            own, option = getattr(config, name), option_of(name)
            if value != own:
                raise ConfigError(
                    f"Run {run.id} was started with {option} {own} and resumes with it. "
                    f"Leave out {option}."
                )


def _given(options: argparse.Namespace, config: ModelConfig | TrainConfig) -> dict:
    """Return the fields of a configuration that are given as options."""
    values = {name: getattr(options, name) for name in asdict(config)}
    return {name: value for name, value in values.items() if value is not None}
