"""The Transformer it came from: section 1.3 of the annotation, with a small one that has learned to turn digits round."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/transformer.py",
    "The Vision Transformer is half of a machine that was built to translate. Here is the whole of it, small and at work.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import transformer

    shown = transformer.digits(page)
    if shown:
        transformer.encoder(page, *shown)
        transformer.decoder(page, *shown)
        transformer.cross(page, *shown)
        transformer.why_no_decoder(page)
