"""Training runs, checkpoints and pretrained models on disk."""
