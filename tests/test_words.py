"""Terms of the field, in American English: words that were once used in their place stay out.

A reader who knows the field must find its own terms here, so that what is learned with this app
can be looked up elsewhere. Add a word to INSTEAD when it is replaced by the field's term.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATTERNS = (
    "vitdemo/**/*.py",
    "vitdemo/**/*.js",
    "vitdemo/**/*.md",
    "pages/*.py",
    "app.py",
    "README.md",
    "checkpoints/README.md",
    "tests/**/*.py",
    "tests/**/*.md",
)
FILES = sorted({path for pattern in PATTERNS for path in ROOT.glob(pattern)} - {Path(__file__)})

INSTEAD = {  # regular expression, where a space is any gap between words -> what to write
    # American English
    r"colour\w*": "color",
    r"grey\w*": "gray",
    r"neighbour\w*": "neighbor",
    r"behaviour\w*": "behavior",
    r"favour\w*": "favor",
    r"centre[ds]?": "center",
    r"learnt": "learned",
    r"\w*(normal|random|regular|initial|optim)is(e|ed|es|ing|er|ers|ation)": "-ize",
    r"\w*(visual|recogn|summar|general|memor)is(e|ed|es|ing|ation)": "-ize",
    # attention
    r"asking tokens?": "query token",
    r"attended tokens?": "key token",
    r"who asks": "query token",
    r"takes from": "attends to",
    r"looks? cut|cut looks?|edges off": "attention knockout, blocked attention",
    r"heads? off": "ablated heads",
    r"everybody": "every token",
    r"under the mouse": "hover",
    r"head'?s? characters?": "head statistics",
    # attribution
    r"covered patch(es)?|cover(ed|ing) (each|every|a|one) patch": "occlude",
    r"coverings?": "occlusion",
    r"pretty maps?": "a striking map",
    # model and training
    r"length of (a|the|each) tokens?|token'?s length": "L2 norm",
    r"the spread|spread of|spreads? by": "standard deviation",
    r"ways? back": "backward pass",
    r"products? of matrices": "matrix multiplication",
    r"multiply-adds?": "MACs (multiply-accumulates)",
    r"by heart": "overfit, memorize",
    r"hung(ry|er)": "data efficiency",
    r"first filters": "patch-embedding initialization",
    r"token start": "token init std",
    r"weight averaging": "EMA (exponential moving average of the weights)",
    r"averaged weights": "EMA weights",
    r"learner": "model, EMA model",
    r"patch\sdrop": "PatchDropout",
    r"(?<!random\s)erasing": "Cutout",
    r"flip and shift": "flip and translate",
    r"twins": "replicas",
    r"trainings": "runs, training runs",
    r"moments": "snapshots",
    r"where chance starts": "random seed",
    r"variety": "augmentation",
    # predictions
    r"rightly": "correctly",
    r"right (class|classes|answers?|label|labels)": "correct class, true class",
    r"surest": "most confident",
    r"tak(en|es?) for (whom|a|an|the)": "confused with, confusion matrix",
    r"share right": "accuracy",
    r"ask(s|ed|ing)? (the|a|its|both|each|every) models?": "run, evaluate",
    # lessons
    r"the annotation(?! of)|annotation's": "the paper",
    r"the (paper's )?listing|listing's": "the paper's code",
    r"digits round": "reverse the digits",
    # the app
    r"address bar|in the address|the address (has|says|asks)": "URL",
    r"telephones?": "phone",
    r"pupils?": "students",
    r"broke off|begin it again": "It failed (reason). Try again.",
    r"those who want to change it": "Contributing",
    r"the training does not care": "training continues in the background",
}
LABELS = {  # a whole string -> what to write
    "Keep it": "Download",
    "Large": "Presentation mode",
    "Called": "Predicted class",
    "Class read from": "Pooling",
    "takes from": "attends to",
    "gives to": "attended by",
}
_RENAMED = "name of a setting in runs of earlier versions, which RENAMED translates"
ALLOWED = {  # file and match -> why it stays
    ("vitdemo/runs/checks.py", "first_filters"): _RENAMED,
    ("vitdemo/runs/checks.py", "weight_averaging"): _RENAMED,
    ("vitdemo/runs/checks.py", "erasing"): _RENAMED,
    ("vitdemo/runs/checks.py", "flip_and_shift"): _RENAMED,
    ("tests/runs/test_run.py", "weight_averaging"): _RENAMED,
}

# Words may be joined by an underscore, or lie on two lines of a comment or a string.
GAP = r"""(?:[\s"'#_]|(?<=\s)[rf](?=["']))+"""


def found_in(text: str) -> list[tuple[int, str, str]]:
    """Find words that stay out: line, what stands there, and what to write."""
    found = []
    for words, instead in INSTEAD.items():
        pattern = f"(?<![A-Za-z])(?:{words.replace(' ', GAP)})(?![A-Za-z])"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            found.append((text.count("\n", 0, match.start()) + 1, match[0], instead))
    for label, instead in LABELS.items():
        for match in re.finditer(f"[\"']{label}[\"']", text):
            found.append((text.count("\n", 0, match.start()) + 1, match[0], instead))
    return sorted(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_terms_of_the_field(path):
    name = str(path.relative_to(ROOT))
    assert [
        f"{name}:{line}: {words!r}, write: {instead}"
        for line, words, instead in found_in(path.read_text(encoding="utf-8"))
        if (name, words) not in ALLOWED
    ] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# the Colours", "Colours"),
        ('"one asking "\n    f"token"', 'asking "\n    f"token'),
        ("heads_off = 1", "heads_off"),
        ('st.button("Keep it")', '"Keep it"'),
    ],
)
def test_words_are_found_in_code_and_across_lines(text, words):
    assert [match for _, match, _ in found_in(text)] == [words]


@pytest.mark.parametrize(
    "text",
    ["the preset annotation", "Annotation of Vision Transformer", "keep it", "a larger twine"],
)
def test_other_uses_are_not_found(text):
    assert found_in(text) == []


def test_exceptions_are_still_needed():
    for (name, words), why in ALLOWED.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        assert words in {match for _, match, _ in found_in(text)}, why
