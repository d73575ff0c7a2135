# The CUDA half: the kernels, which know nothing of PyTorch and so serve every version of it, and the library that
# registers them, for one version of PyTorch.
# Input:  TORCH_ELU_CUDA_KERNELS  the library of kernels of an earlier build; empty: they are compiled
# Output: torch_elu_kernels       its path

set(TORCH_ELU_CUDA_KERNELS "" CACHE FILEPATH "The library of CUDA kernels that another build has made")
string(REGEX MATCH "^[0-9]+" major "${TORCH_ELU_CUDA_VERSION}")
set(name torch_elu_kernels_cu${major})
file(GLOB cuda_sources CONFIGURE_DEPENDS csrc/dispatch/*cuda.cpp)
add_library(torch_elu_cuda SHARED ${cuda_sources} $<TARGET_OBJECTS:torch_elu_common>)
add_library(TorchELU::torch_elu_cuda ALIAS torch_elu_cuda)
torch_elu_export_only(torch_elu_cuda)
list(JOIN TORCH_ELU_CUDA_ARCHITECTURES " " architectures)
target_compile_definitions(torch_elu_cuda PRIVATE TORCH_ELU_CUDA_ARCHITECTURES="${architectures}")
target_include_directories(torch_elu_cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
if(TORCH_ELU_CUDA_KERNELS)
  set(torch_elu_kernels ${TORCH_ELU_CUDA_KERNELS})
else()
  file(GLOB kernel_sources CONFIGURE_DEPENDS csrc/kernels/cuda/*.cu)
  add_library(${name} SHARED ${kernel_sources} csrc/compat/older_systems.cpp)
  torch_elu_set_flags(${name})
  torch_elu_export_only(${name} csrc/kernels/cuda/exports.map)
  target_include_directories(${name} PRIVATE csrc)
  # The runtime is the one that PyTorch has loaded, whatever the name of its file.
  set_target_properties(${name} PROPERTIES CUDA_RUNTIME_LIBRARY None CUDA_VISIBILITY_PRESET default)
  add_dependencies(torch_elu_cuda ${name})
  set(torch_elu_kernels $<TARGET_FILE:${name}>)
endif()
# By their paths: the kernels belong to no export file, since they are there once for all of them, and torch_elu asks its
# users for this library.
add_dependencies(torch_elu_cuda torch_elu)
target_link_libraries(torch_elu_cuda PRIVATE TorchELU::torch_cuda ${torch_elu_kernels} $<TARGET_FILE:torch_elu>)
