"""Presets: pairs of a model and a recipe, ours and those of the paper."""

from .model_config import ModelConfig
from .train_config import TrainConfig

PRESETS: dict[str, tuple[ModelConfig, TrainConfig]] = {
    # The paper's code as printed (sections 1.3.1, 1.4.1, 1.5): torch.randn for CLS and positions, a
    # default dropout of 0.1 on the attention weights, division by sqrt(embed_dim), and Adam with a
    # weight decay of 0.1 as L2.
    "annotation": (
        ModelConfig(attention_dropout=0.1, attention_scale="embed_dim", token_init_std=1.0),
        TrainConfig(optimizer="adam", weight_decay=0.1),
    ),
    # The same ViT with a recipe that works on few images: augmentation, and half of the patches per
    # step.
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
    # A conv stem makes 16 tokens for two wide encoder blocks.
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
