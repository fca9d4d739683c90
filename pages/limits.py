"""Limitations of the ViT: section 1.6 of the paper, each of them measured."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/limits.py",
    "What a Vision Transformer (ViT) costs, how much data it needs and how it overfits: each "
    "measured, and each to be measured again on this machine.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import limits

    limits.quadratic_cost(page)
    limits.data_efficiency(page)
    limits.overfitting(page)
