"""Training runs and models on disk."""
