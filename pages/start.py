"""Start: what a Vision Transformer is, in one live picture."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/start.py",
    "A Vision Transformer names what a photograph shows. Here is one at work, step by step. These eight "
    "pages follow the "
    "paper *Annotation of Vision Transformer*, here called the annotation or the paper; its printed code is the listing.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import start

    start.live_picture(page)
