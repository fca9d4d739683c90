"""Limits: section 1.6 of the annotation, each of them measured."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/limits.py",
    "What a Vision Transformer costs, what it needs, and how it learns by heart: measured on this machine.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import limits

    limits.quadratic(page)
    limits.data_hunger(page)
    limits.learning_by_heart(page)
