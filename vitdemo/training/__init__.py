"""Training a model: `train()` and what it is made of."""
