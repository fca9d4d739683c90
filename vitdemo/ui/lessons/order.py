"""The pages of the annotation in their order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page among the others."""

    script: str
    title: str
    section: str  # of the annotation

    @property
    def name(self) -> str:
        """As in the address."""
        return self.script.removeprefix("pages/").removesuffix(".py")


ORDER = (
    Place("pages/start.py", "A Vision Transformer at work", "1.4"),
    Place("pages/transformer.py", "The Transformer it came from", "1.3"),
    Place("pages/by_hand.py", "Attention by hand", "1.3.3"),
    Place("pages/image_to_tokens.py", "From image to tokens", "1.4.1"),
    Place("pages/block.py", "The encoder block and the whole model", "1.3.1"),
    Place("pages/parameters.py", "Comparison and parameters", "1.4.2"),
    Place("pages/training.py", "Training and evaluation", "1.5"),
    Place("pages/limits.py", "Limits", "1.6"),
)
