#pragma once

// The library is built with hidden visibility; what carries this mark is its interface.
#define TORCH_ELU_API __attribute__((visibility("default")))
