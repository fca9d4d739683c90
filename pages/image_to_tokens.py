"""From image to tokens: section 1.4.1 of the paper, with a real image and a trained model."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/image_to_tokens.py",
    "A Transformer processes a sequence of vectors, called **tokens**. To turn an image into "
    "tokens, the Vision Transformer splits it into patches, projects each patch to a token, and "
    "adds a position embedding to each token.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import image_to_tokens, positions

    image = image_to_tokens.split(page)
    image_to_tokens.project(page, image)
    image_to_tokens.cls_token(page, image)
    positions.positions(page, image)
