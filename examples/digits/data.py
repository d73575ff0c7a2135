"""The 1,797 scans of handwritten digits (8 x 8 pixels, from UCI) that scikit-learn ships."""

from typing import NamedTuple

import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split
from torch import Tensor

NUM_PIXELS = 64
NUM_CLASSES = 10
NUM_TEST = 360


class Digits(NamedTuple):
    """Images as float32 rows of 64 pixels, labels as int64; one fifth is held out."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load_digits(seed: int) -> Digits:
    """Splits the scans, each digit in proportion, and scales the pixels to mean 0, variance 1.

    SELU needs normalised input; the scale comes from the training images alone.
    """
    images, labels = datasets.load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=NUM_TEST, stratify=labels, random_state=seed
    )
    mean, std = train_images.mean(), train_images.std()
    return Digits(
        torch.tensor((train_images - mean) / std, dtype=torch.float32),
        torch.tensor(train_labels, dtype=torch.int64),
        torch.tensor((test_images - mean) / std, dtype=torch.float32),
        torch.tensor(test_labels, dtype=torch.int64),
    )
