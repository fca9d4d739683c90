"""Values printed in papers, for comparison. None of them is measured by this project."""

# The paper, Table 2, "ViT results after 6 epochs": key of METRICS -> (training, validation).
TABLE_2 = {
    "loss": (2.0789, 2.1240),
    "accuracy": (0.2027, 0.2051),
    "auroc": (0.6847, 0.6567),
    "f1": (0.140, 0.1545),
    "precision": (0.1402, 0.1337),
    "recall": (0.2027, 0.2051),
    "top1": (0.2027, 0.2051),
    "top5": (0.7253, 0.6604),
}

# The paper, section 1.4.3: "the parameters we used for the minimal CPU working model", under the
# names of our fields, and the image size as printed there.
IMAGE_SIZE = "batch_size x 3 x 32 x 32"
MINIMAL_CPU = {
    "patch_size": 64,
    "embed_dim": 256,
    "depth": 12,
    "num_heads": 12,
    "mlp_dim": 3072,
    "num_classes": 10,
    "dropout": 0.1,
}

FEED_FORWARD_RATIO = 4  # 2,048 hidden units for a width of 512; Vaswani et al. 2017, section 3.3
# ViT-B/16: Dosovitskiy et al. 2021, Table 1, for ImageNet images of 224 × 224 pixels.
VIT_BASE = {
    "image_size": 224,
    "patch_size": 16,
    "embed_dim": 768,
    "depth": 12,
    "num_heads": 12,
    "num_classes": 1000,
}
JFT_IMAGES = 300  # million; Dosovitskiy et al. 2021, section 4.1
