"""A plugin of pytest: how PyTorch's own tests come to run our kernels (ELU_WAY).

`plain` changes nothing, `swapped` puts our functions and modules in the place of PyTorch's before
its tables of operators and modules are made, `override` runs PyTorch's over our CPU kernels.
"""

import os

import torch
import torch_elu
from torch import nn
from torch.nn import functional as F

WAY = os.environ["ELU_WAY"]
if WAY == "swapped":
    for name in ("elu", "selu", "celu"):
        setattr(F, name, getattr(torch_elu, name))
        for namespace in (nn, nn.modules):
            setattr(namespace, name.upper(), getattr(torch_elu, name.upper()))
    torch.selu, torch.celu = torch_elu.selu, torch_elu.celu
elif WAY == "override":
    torch_elu.override_aten()
else:
    assert WAY == "plain", WAY

# As PyTorch's files do where they are run themselves. Not sooner: it may import the tables.
from torch.testing._internal import common_utils  # noqa: E402

common_utils.GRAPH_EXECUTOR = common_utils.cppProfilingFlagsToProfilingMode()
