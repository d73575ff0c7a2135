#include "dispatch/operands.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/SymIntArrayRef.h>

#include <cstdint>
#include <utility>

namespace torch_elu {
namespace {

//= dense_strides

}  // namespace

//= empty_output

}  // namespace torch_elu
