"""Unknown options: what one may have meant, found by initials, by a word, or by spelling."""

import pytest

from vitdemo.config.options import nearest_options, parser


def commands():
    return parser()._subparsers._group_actions[0].choices


TRAIN = list(commands()["train"]._option_string_actions)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("--lr", ["--learning-rate"]),
        ("--wd", ["--weight-decay"]),
        ("--bs", ["--batch-size"]),
        ("--heads", ["--num-heads"]),
        ("--head", ["--num-heads"]),
        ("--classes", ["--num-classes"]),
        ("--rate", ["--learning-rate"]),
        ("--epoch", ["--epochs"]),
        ("--epocs", ["--epochs"]),
        ("--num_heads", ["--num-heads"]),
        ("--Learning-Rate", ["--learning-rate"]),
        ("-epochs", ["--epochs"]),
        ("--learningrate", ["--learning-rate"]),
        ("--batchsize", ["--batch-size"]),
        ("--optimzer", ["--optimizer"]),
        ("--images", ["--train-images", "--validation-images"]),
        ("--decay", ["--weight-decay", "--ema-decay"]),
        ("--zzz", []),
        ("--", []),
    ],
)
def test_nearest_options(wrong, meant):
    assert nearest_options(wrong, TRAIN) == meant


@pytest.mark.parametrize("option", [o for o in TRAIN if o.startswith("--") and len(o) > 8])
def test_one_wrong_letter_is_understood(option):
    for place in range(2, len(option)):
        assert option in nearest_options(option[:place] + option[place + 1 :], TRAIN)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--lr", "0.1"], "There is no option --lr. Did you mean --learning-rate?"),
        (["train", "--heads=4"], "There is no option --heads. Did you mean --num-heads?"),
        (["train", "--epoch", "2"], "There is no option --epoch. Did you mean --epochs?"),
        (["train", "--zzz"], "There is no option --zzz. --help lists all options."),
        (["train", "six"], "six is not expected here. --help lists all options."),
        (
            ["evaluate", "x.safetensors", "--jsn=r"],
            "There is no option --jsn. Did you mean --json?",
        ),
    ],
)
def test_unknown_option_is_refused_with_what_was_meant(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f": error: {sentence}\n")


@pytest.mark.parametrize("option", ["--prec=float32", "--check=x.safetensors", "--val=5"])
def test_abbreviations_are_refused(option):
    with pytest.raises(SystemExit):
        parser().parse_args(["train", option])
