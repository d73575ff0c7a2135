"""Sizes of which the CUDA kernels stage their inputs in shared memory, on the GPU at hand."""

from __future__ import annotations

import torch


def staged_numel(dtype: torch.dtype, inputs: int) -> int:
    """As many elements as seven eighths of the accesses of one wave of staged blocks take."""
    device = torch.cuda.get_device_properties()
    threads = device.multi_processor_count * device.max_threads_per_multi_processor
    accesses = threads * 4 // inputs * 7 // 8
    return accesses * 16 // dtype.itemsize
