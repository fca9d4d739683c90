"""Training and evaluation: section 1.5 of the annotation."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/training.py",
    "How a model learns, how one measures it, and what the paper's results can and cannot be.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import training

    training.loop(page)
    training.metrics(page)
    training.comparisons(page)
    training.papers_results(page)
