"""Training and evaluation: section 1.5 of the paper."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/training.py",
    "How a Vision Transformer (ViT) is trained and evaluated, and how to read the paper's results.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import training

    training.loop(page)
    training.metrics(page)
    training.comparisons(page)
    training.papers_results(page)
