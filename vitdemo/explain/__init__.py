"""One file for each question that one asks of a trained model: models and images in, arrays out."""
