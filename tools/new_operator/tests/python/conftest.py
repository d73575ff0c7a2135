"""What all tests share."""

import os

# What was compiled from an earlier build is not to be found again.
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"

import pytest
import torch


@pytest.fixture(autouse=True)
def same_random_numbers_each_time() -> None:
    torch.manual_seed(0)
