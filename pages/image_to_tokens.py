"""From image to tokens: section 1.4.1 of the annotation, on a real picture and a trained model."""

from vitdemo.ui.lessons.lesson import lesson
from vitdemo.ui.loading import heavy_imports

with lesson(
    "pages/image_to_tokens.py",
    "A Transformer takes a sequence of vectors. Here a picture becomes one: cut into patches, each projected to a token, each "
    "told where it lies.",
) as page:
    with heavy_imports():
        from vitdemo.ui.lessons import image_to_tokens

    image = image_to_tokens.cut(page)
    image_to_tokens.project(page, image)
    image_to_tokens.cls_token(page, image)
    image_to_tokens.positions(page, image)
