"""Images: CIFAR-10, and pictures that users upload."""
