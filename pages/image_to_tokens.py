"""From image to tokens: section 1.4.1 of the paper, with a real image and a trained model."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/image_to_tokens.py",
    "A Transformer takes a sequence of vectors. Here an image becomes one: it is split into "
    "patches, each patch is projected to a token, and each token receives a position embedding.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import image_to_tokens, positions

    image = image_to_tokens.split(page)
    image_to_tokens.project(page, image)
    image_to_tokens.cls_token(page, image)
    positions.positions(page, image)
