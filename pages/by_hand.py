"""Attention by hand: section 1.3.3 of the paper, number by number."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/by_hand.py",
    "Attention lets every token gather information from all tokens, itself included. This page "
    "works through the computation number by number.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import by_hand, heads_by_hand, scaling_by_hand

    by_hand.small_example(page)
    by_hand.papers_shapes(page)
    scaling_by_hand.without_scaling(page)
    heads_by_hand.heads(page)
    heads_by_hand.two_divisors(page)
