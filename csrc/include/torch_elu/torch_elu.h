#pragma once

#include <torch_elu/convert.h>
#include <torch_elu/functional.h>
#include <torch_elu/nn.h>
#include <torch_elu/override_aten.h>
#include <torch_elu/revert.h>
