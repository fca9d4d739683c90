"""Start: one image on its way through a trained Vision Transformer, step by step."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/start.py",
    "A Vision Transformer (ViT) is a neural network that classifies images. Follow one image "
    "through a trained model, step by step. These eight pages accompany the paper *Annotation of "
    "Vision Transformer* (“the paper” from here on).",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import start

    step, found = start.controls(page)
    start.all_steps(page, found)
    start.one_step(page, step, found)
    start.questions(page, found)
