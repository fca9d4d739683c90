"""The lesson pages in their order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LessonPage:
    """A lesson page: its script, its title, and the section of the paper that it covers."""

    script: str
    title: str
    section: str

    @property
    def name(self) -> str:
        """The name of the page in the URL."""
        return self.script.removeprefix("pages/").removesuffix(".py")


ORDER = (
    LessonPage("pages/start.py", "A Vision Transformer at work", "1.4"),
    LessonPage("pages/transformer.py", "The original Transformer", "1.3"),
    LessonPage("pages/by_hand.py", "Attention by hand", "1.3.3"),
    LessonPage("pages/image_to_tokens.py", "From image to tokens", "1.4.1"),
    LessonPage("pages/block.py", "The encoder block and the whole model", "1.3.1"),
    LessonPage("pages/parameters.py", "Comparison and parameters", "1.4.2"),
    LessonPage("pages/training.py", "Training and evaluation", "1.5"),
    LessonPage("pages/limits.py", "Limitations", "1.6"),
)
