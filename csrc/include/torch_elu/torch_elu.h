#pragma once

#include <torch_elu/functional.h>
#include <torch_elu/nn.h>
