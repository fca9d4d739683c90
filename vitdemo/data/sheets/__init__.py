"""The images that ship: the first 5,000 training and 1,000 test images of CIFAR-10."""
