"""Attention by hand: section 1.3.3 of the annotation, every number of it."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/by_hand.py",
    "Attention lets each token gather from all tokens, itself included. Here it is worked out number by number.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import by_hand

    by_hand.small_enough_to_read(page)
    by_hand.papers_shapes(page)
    by_hand.without_scaling(page)
    by_hand.heads(page)
    by_hand.two_divisors(page)
