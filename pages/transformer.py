"""The Transformer it came from: section 1.3 of the paper, with a small one that reverses digits."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/transformer.py",
    "The Vision Transformer is one half of a model that was built for translation. Here is the "
    "complete Transformer, small and at work.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import transformer

    shown = transformer.digits(page)
    if shown:
        found, head = shown
        transformer.encoder(page, found, head)
        transformer.decoder(page, found, head)
        transformer.cross(page, found, head)
        transformer.why_no_decoder(page)
