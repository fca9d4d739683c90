"""The original Transformer: section 1.3 of the paper, with a small one that reverses digits."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/transformer.py",
    "The Vision Transformer is based on one half of the original Transformer, a model for machine "
    "translation. This page runs a small Transformer with both halves.",
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
