#pragma once

// The library is built with hidden visibility; this marks its interface.
#define TORCH_ELU_API __attribute__((visibility("default")))
