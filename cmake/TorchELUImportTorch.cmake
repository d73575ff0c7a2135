# Makes targets of the libraries of a PyTorch installation (a Python wheel or a LibTorch archive), for the build and for
# the installed package alike. find_package(Torch) is not used: with a CUDA build of PyTorch it stops on a machine
# without a CUDA toolkit, though neither headers nor libraries need one.
#
# Input:   TorchELU_TORCH_ROOT        the folder with include/ and lib/; else searched in CMAKE_PREFIX_PATH, where
#                                     `python -c "import torch; print(torch.utils.cmake_prefix_path)"` may stand.
#          TorchELU_BUILT_WITH_TORCH  the version that the library was built with, if there is one
#          TorchELU_BUILT_WITH_CUDA   the CUDA toolkit that it was built with, empty without
# Targets: TorchELU::torch, TorchELU::torch_python, TorchELU::torch_cuda (the last two where they exist)
# Output:  TorchELU_TORCH_VERSION, TorchELU_TORCH_CUDA_VERSION (the latter empty if unknown), or else
#          TorchELU_TORCH_PROBLEM, and no targets

unset(TorchELU_TORCH_PROBLEM)
set(_torch_root_given "${TorchELU_TORCH_ROOT}")
find_path(TorchELU_TORCH_ROOT include/torch/csrc/api/include/torch/torch.h
          HINTS ${CMAKE_CURRENT_LIST_DIR}/../../../../torch
          PATH_SUFFIXES . ../..
          DOC "The folder of a PyTorch installation that holds include/ and lib/")
set(_torch_root "${TorchELU_TORCH_ROOT}")
# What was found is not remembered: the next time the right one may stand elsewhere.
if(NOT _torch_root_given)
  unset(TorchELU_TORCH_ROOT)
  unset(TorchELU_TORCH_ROOT CACHE)
endif()
if(NOT _torch_root)
  set(TorchELU_TORCH_PROBLEM
      "No PyTorch installation found. Add to CMAKE_PREFIX_PATH the folder of LibTorch, or what `python -c \"import torch; print(torch.utils.cmake_prefix_path)\"` prints.")
  return()
endif()
get_filename_component(_torch_root "${_torch_root}" REALPATH)

file(STRINGS "${_torch_root}/include/torch/headeronly/version.h" _torch_version_line
     REGEX "^ *\"[0-9]+\\.[0-9]+\\.")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" TorchELU_TORCH_VERSION "${_torch_version_line}")
string(REGEX MATCH "^[0-9]+\\.[0-9]+" _built_minor "${TorchELU_BUILT_WITH_TORCH}")
string(REGEX MATCH "^[0-9]+\\.[0-9]+" _found_minor "${TorchELU_TORCH_VERSION}")
set(_rebuild "pip install --no-build-isolation --force-reinstall --no-deps <source folder of torch_elu>")
if(TorchELU_BUILT_WITH_TORCH AND NOT _built_minor STREQUAL _found_minor)
  set(TorchELU_TORCH_PROBLEM
      "This torch_elu was built for PyTorch ${_built_minor}, but PyTorch ${TorchELU_TORCH_VERSION} was found in ${_torch_root}. Build torch_elu against that one: ${_rebuild}")
  return()
endif()

if(TorchELU_BUILT_WITH_CUDA AND NOT EXISTS "${_torch_root}/lib/libtorch_cuda.so")
  set(TorchELU_TORCH_PROBLEM
      "This torch_elu was built with CUDA kernels, but the PyTorch in ${_torch_root} is built without CUDA. Take one with CUDA ${TorchELU_BUILT_WITH_CUDA}, or build torch_elu against that one: ${_rebuild}")
  return()
endif()

set(TorchELU_TORCH_ROOT "${_torch_root}")
set(TorchELU_TORCH_CUDA_VERSION "")
if(EXISTS "${TorchELU_TORCH_ROOT}/version.py")
  file(STRINGS "${TorchELU_TORCH_ROOT}/version.py" _torch_cuda_line REGEX "^cuda:")
  if(_torch_cuda_line MATCHES "'([0-9.]+)'")
    set(TorchELU_TORCH_CUDA_VERSION "${CMAKE_MATCH_1}")
  endif()
endif()

function(_torch_elu_import name)
  set(location "${TorchELU_TORCH_ROOT}/lib/lib${name}.so")
  if(EXISTS "${location}" AND NOT TARGET TorchELU::imported_${name})
    add_library(TorchELU::imported_${name} SHARED IMPORTED)
    set_target_properties(TorchELU::imported_${name} PROPERTIES IMPORTED_LOCATION "${location}")
  endif()
endfunction()

foreach(_library c10 torch_cpu torch c10_cuda torch_cuda torch_python)
  _torch_elu_import(${_library})
endforeach()

if(NOT TARGET TorchELU::torch)
  add_library(TorchELU::torch INTERFACE IMPORTED)
  set_target_properties(TorchELU::torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES
      "${TorchELU_TORCH_ROOT}/include;${TorchELU_TORCH_ROOT}/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES "TorchELU::imported_torch_cpu;TorchELU::imported_c10"
    INTERFACE_COMPILE_FEATURES cxx_std_20)

  # The CUDA wheels leave it to Python to find their NVIDIA libraries; a linker has to be told. Among the libraries:
  # in projects for a CMake before 3.17 options do not pass through a static library that links us privately.
  file(GLOB TorchELU_NVIDIA_FOLDERS "${TorchELU_TORCH_ROOT}/../nvidia/*/lib")
  foreach(_folder IN LISTS TorchELU_NVIDIA_FOLDERS)
    get_filename_component(_folder "${_folder}" REALPATH)
    set_property(TARGET TorchELU::torch APPEND PROPERTY INTERFACE_LINK_LIBRARIES
                 "-Xlinker -rpath-link -Xlinker \"${_folder}\"")
  endforeach()

  if(TARGET TorchELU::imported_torch_cuda)
    add_library(TorchELU::torch_cuda INTERFACE IMPORTED)
    set_property(TARGET TorchELU::torch_cuda PROPERTY INTERFACE_LINK_LIBRARIES
                 "TorchELU::torch;TorchELU::imported_torch_cuda;TorchELU::imported_c10_cuda")
  endif()
  if(TARGET TorchELU::imported_torch_python)
    add_library(TorchELU::torch_python INTERFACE IMPORTED)
    set_property(TARGET TorchELU::torch_python PROPERTY INTERFACE_LINK_LIBRARIES
                 "TorchELU::torch;TorchELU::imported_torch_python")
  endif()
endif()
