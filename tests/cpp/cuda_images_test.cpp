// Which devices can run CUDA kernels that were compiled for a list of architectures.

#include <gtest/gtest.h>

#include <string_view>

#include "kernels/cuda/images.h"

namespace {

using torch_elu::cuda::have_image;

// CUDA's programming guide: machine code runs on its major version from its minor version on, PTX
// on every newer device, and code for an "a" architecture on that one alone.
TEST(CudaImages, MachineCodeServesItsMajorVersionFromItsMinorVersionOn) {
  constexpr std::string_view list = "75-real 80-real 86-real 90-real 100-real 120-real";
  for (const auto& [major, minor] : {std::pair(7, 5),
                                     {8, 0},
                                     {8, 6},
                                     {8, 7},
                                     {8, 9},
                                     {9, 0},
                                     {10, 0},
                                     {10, 3},
                                     {12, 0},
                                     {12, 1}}) {
    EXPECT_TRUE(have_image(list, major, minor)) << major << "." << minor;
  }
  for (const auto& [major, minor] : {std::pair(5, 2), {7, 0}, {7, 2}, {11, 0}, {13, 0}}) {
    EXPECT_FALSE(have_image(list, major, minor)) << major << "." << minor;
  }
  EXPECT_FALSE(have_image("90-real", 7, 5));
  EXPECT_FALSE(have_image("90-real", 11, 0));
  EXPECT_FALSE(have_image("86-real", 8, 0));
  EXPECT_FALSE(have_image("", 9, 0));
}

TEST(CudaImages, PtxServesEveryNewerDevice) {
  for (const std::string_view list : {"75-real 120", "75-real 120-virtual"}) {
    EXPECT_TRUE(have_image(list, 12, 1));
    EXPECT_TRUE(have_image(list, 13, 0));
    EXPECT_FALSE(have_image(list, 11, 0));
    EXPECT_FALSE(have_image(list, 8, 0));
  }
}

TEST(CudaImages, CodeForOneArchitectureServesNoOther) {
  for (const std::string_view list : {"90a", "90a-real", "90a-virtual"}) {
    EXPECT_TRUE(have_image(list, 9, 0));
    EXPECT_FALSE(have_image(list, 9, 1));
    EXPECT_FALSE(have_image(list, 10, 0));
  }
}

}  // namespace
