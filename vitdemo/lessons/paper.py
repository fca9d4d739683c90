"""Figures that the annotation and others print, to stand beside our own. Nothing here is ours."""

TABLE_2 = {  # "ViT results after 6 epochs": metric of METRICS -> (train, validation)
    "loss": (2.0789, 2.1240),
    "accuracy": (0.2027, 0.2051),
    "auroc": (0.6847, 0.6567),
    "f1": (0.140, 0.1545),
    "precision": (0.1402, 0.1337),
    "recall": (0.2027, 0.2051),
    "top1": (0.2027, 0.2051),
    "top5": (0.7253, 0.6604),
}

IMAGE_SIZE = "batch_size x 3 x 32 x 32"  # printed there as the size of an image
MINIMAL_CPU = {  # "the parameters we used for the minimal CPU working model", section 1.4.3, in our names
    "patch_size": 64,
    "embed_dim": 256,
    "depth": 12,
    "num_heads": 12,
    "mlp_dim": 3072,
    "num_classes": 10,
    "dropout": 0.1,
}

VIT_BASE_WIDTH = 768  # Dosovitskiy et al. 2021, Table 1
JFT_IMAGES = 300  # million, as there, section 4.1
