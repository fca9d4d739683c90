"""Training a model: `train()` and its parts."""
