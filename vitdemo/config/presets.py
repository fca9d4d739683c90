"""Presets: pairs of model and recipe that are known to work, and the paper's own."""

from .model_config import ModelConfig
from .train_config import TrainConfig

PRESETS: dict[str, tuple[ModelConfig, TrainConfig]] = {
    # The paper's code as printed (sections 1.3.1, 1.4.1, 1.5): torch.randn for CLS and positions, the default dropout of
    # 0.1 on the attention weights, division by sqrt(embed_dim), Adam with a weight decay of 0.1 as L2.
    "annotation": (
        ModelConfig(attention_dropout=0.1, attention_scale="embed_dim", token_init_std=1.0),
        TrainConfig(optimizer="adam", weight_decay=0.1),
    ),
    # The same plain ViT with a recipe that learns: augmented images, and half of the patches are enough for a step.
    "recommended": (
        ModelConfig(patch_drop=0.5),
        TrainConfig(
            epochs=80,
            batch_size=64,
            learning_rate=2e-3,
            schedule="cosine",
            warmup_epochs=5.0,
            augmentation="flip",
            jitter=0.3,
            cutout=8,
            cutmix=0.3,
            label_smoothing=0.1,
            patch_embed_init="whitened",
        ),
    ),
    # Convolutions make 16 tokens, which go through two wide encoder blocks.
    "hybrid": (
        ModelConfig(
            patch_size=8,
            embed_dim=128,
            depth=2,
            num_heads=2,
            mlp_ratio=1.0,
            stem="conv",
            pooling="attention",
        ),
        TrainConfig(
            epochs=125,
            batch_size=64,
            learning_rate=2e-3,
            weight_decay=0.2,
            schedule="cosine",
            warmup_epochs=5.0,
            augmentation="flip_and_translate",
            jitter=0.3,
            cutout=8,
            mixup=0.2,
            cutmix=0.3,
            label_smoothing=0.1,
            patch_embed_init="whitened",
        ),
    ),
}
