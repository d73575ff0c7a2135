#pragma once

#include <torch_elu/functional.h>
