"""The images that ship: the first 5,000 training and the first 1,000 test images of CIFAR-10."""
