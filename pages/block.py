"""The encoder block and the whole model: sections 1.3.1 and 1.4.1 of the paper."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/block.py",
    "The shapes of the model's tensors, its source code part by part, and what residual "
    "connections and LayerNorm do.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import block

    config = block.shapes(page)
    if config:
        block.whole_model(page, config)
    block.residual_stream(page)
    block.layer_norm(page)
