"""Images: CIFAR-10, and the pictures that people bring."""
