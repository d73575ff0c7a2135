# The CUDA half: the kernels, and the library that registers them, for one version of PyTorch.

string(REGEX MATCH "^[0-9]+" major "${TORCH_ELU_CUDA_VERSION}")
set(name torch_elu_kernels_cu${major})
file(GLOB cuda_sources CONFIGURE_DEPENDS csrc/dispatch/*cuda.cpp)
add_library(torch_elu_cuda SHARED ${cuda_sources} $<TARGET_OBJECTS:torch_elu_common>)
add_library(TorchELU::torch_elu_cuda ALIAS torch_elu_cuda)
torch_elu_export_only(torch_elu_cuda)
list(JOIN TORCH_ELU_CUDA_ARCHITECTURES " " architectures)
target_compile_definitions(torch_elu_cuda PRIVATE TORCH_ELU_CUDA_ARCHITECTURES="${architectures}")
target_include_directories(torch_elu_cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
file(GLOB kernel_sources CONFIGURE_DEPENDS csrc/kernels/cuda/*.cu)
torch_elu_link_kernels(torch_elu_cuda ${name} csrc/kernels/cuda/exports.map ${kernel_sources})
if(TARGET ${name})
  # The runtime is the one that PyTorch has loaded, whatever the name of its file.
  set_target_properties(${name} PROPERTIES CUDA_RUNTIME_LIBRARY None CUDA_VISIBILITY_PRESET default)
  # As PyTorch's own device code is: a sixth of the bytes on the disk, and two thirds in a wheel.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xfatbin=-compress-all>)
  if(major GREATER_EQUAL 13)
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--compress-mode=size>)
  endif()
endif()
# By its path: torch_elu asks its users for this library.
add_dependencies(torch_elu_cuda torch_elu)
target_link_libraries(torch_elu_cuda PRIVATE TorchELU::torch_cuda $<TARGET_FILE:torch_elu>)
