"""ViT and the original Transformer, and the parameters: sections 1.4.2 and 1.4.3 of the paper."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/parameters.py",
    "How the Vision Transformer (ViT) differs from the original Transformer, how its size "
    "determines its cost, and which of the paper's settings cannot work.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import parameters, table_1

    table_1.table_1(page)
    parameters.calculator(page)
    parameters.as_printed(page)
