# Makes targets of the libraries of a PyTorch installation (a Python wheel or a LibTorch archive), for the build and for
# the installed package alike. find_package(Torch) is not used: with a CUDA build of PyTorch it stops on a machine
# without a CUDA toolkit, though neither headers nor libraries need one.
#
#   torch_elu_import_torch([GLOBAL] [MINORS_FOLDER folder] [HINTS folder])
#
# Input:   TorchELU_TORCH_ROOT   the folder with include/ and lib/; else searched in CMAKE_PREFIX_PATH, where
#                                `python -c "import torch; print(torch.utils.cmake_prefix_path)"` may stand
#          GLOBAL                visible in the directories above, too, that this one was added to
#          MINORS_FOLDER         of an installed package: holds torch-2.15/ for PyTorch 2.15, and so on
# Targets: TorchELU::torch; TorchELU::torch_python and TorchELU::torch_cuda where they exist; TorchELU::stays_linked,
#          for whatever links TorchELU::torch_elu
# Output:  TorchELU_TORCH_ROOT, TorchELU_TORCH_VERSION, TorchELU_TORCH_CUDA_VERSION (the latter empty if unknown) and,
#          of an installed package, TorchELU_TARGETS, its export file for this PyTorch; or else
#          TorchELU_TORCH_PROBLEM, and no targets

cmake_policy(VERSION 3.24...4.0)  # whatever the project around asks for

function(torch_elu_import_torch)
  cmake_parse_arguments(PARSE_ARGV 0 arg "GLOBAL" "MINORS_FOLDER;HINTS" "")
  set(given "${TorchELU_TORCH_ROOT}")
  find_path(TorchELU_TORCH_ROOT include/torch/csrc/api/include/torch/torch.h
            HINTS ${arg_HINTS}
            PATH_SUFFIXES . ../..
            DOC "The folder of a PyTorch installation that holds include/ and lib/")
  set(root "${TorchELU_TORCH_ROOT}")
  # What was found is not remembered: the next time the right one may stand elsewhere.
  if(NOT given)
    unset(TorchELU_TORCH_ROOT CACHE)
  endif()
  if(root)
    get_filename_component(root "${root}" REALPATH)
    file(STRINGS "${root}/include/torch/headeronly/version.h" line REGEX "^ *\"[0-9]+\\.[0-9]+\\.")
    string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${line}")
  endif()

  string(REGEX MATCH "^[0-9]+\\.[0-9]+" minor "${version}")
  set(targets "${arg_MINORS_FOLDER}/torch-${minor}/TorchELUTargets.cmake")
  set(rebuild "pip install --no-build-isolation --force-reinstall --no-deps <source folder of torch_elu>")
  set(problem "")
  if(NOT root)
    set(problem "No PyTorch installation found. Add to CMAKE_PREFIX_PATH the folder of LibTorch, or what `python -c \"import torch; print(torch.utils.cmake_prefix_path)\"` prints.")
  elseif(arg_MINORS_FOLDER AND NOT EXISTS "${targets}")
    file(GLOB minors RELATIVE "${arg_MINORS_FOLDER}" "${arg_MINORS_FOLDER}/torch-*")
    string(REPLACE "torch-" "" minors "${minors}")
    list(SORT minors COMPARE NATURAL)
    list(JOIN minors ", " minors)
    set(problem "This torch_elu was built for PyTorch ${minors}, but PyTorch ${version} was found in ${root}. Take one of these, or build torch_elu against that one: ${rebuild}")
  endif()
  set(TorchELU_TORCH_PROBLEM "${problem}" PARENT_SCOPE)
  if(problem)
    return()
  endif()

  # A LibTorch archive has no version.py, but its libraries name the runtime that they need.
  set(cuda_version "")
  if(EXISTS "${root}/version.py")
    file(STRINGS "${root}/version.py" line REGEX "^cuda:")
    if(line MATCHES "'([0-9.]+)'")
      set(cuda_version "${CMAKE_MATCH_1}")
    endif()
  elseif(EXISTS "${root}/lib/libc10_cuda.so")
    file(STRINGS "${root}/lib/libc10_cuda.so" line REGEX "^libcudart.*\\.so\\.[0-9]+$" LIMIT_COUNT 1)
    if(line MATCHES "([0-9]+)$")
      set(cuda_version "${CMAKE_MATCH_1}")
    endif()
  endif()
  # The CUDA wheels leave it to Python to find their NVIDIA libraries; a linker has to be told.
  file(GLOB links "${root}/../nvidia/*/lib")
  set(nvidia_folders "")
  foreach(folder IN LISTS links)
    get_filename_component(folder "${folder}" REALPATH)
    list(APPEND nvidia_folders "${folder}")
  endforeach()
  set(TorchELU_TORCH_ROOT "${root}")
  set(TorchELU_TORCH_ROOT "${root}" PARENT_SCOPE)
  set(TorchELU_TORCH_VERSION "${version}" PARENT_SCOPE)
  set(TorchELU_TORCH_CUDA_VERSION "${cuda_version}" PARENT_SCOPE)
  if(arg_MINORS_FOLDER)
    set(TorchELU_TARGETS "${targets}" PARENT_SCOPE)
  endif()
  if(TARGET TorchELU::torch)
    return()
  endif()

  set(scope "")
  if(arg_GLOBAL)
    set(scope GLOBAL)
  endif()
  set(suffix "${CMAKE_SHARED_LIBRARY_SUFFIX}")
  foreach(name c10 torch_cpu c10_cuda torch_cuda torch_python)
    set(location "${root}/lib/lib${name}${suffix}")
    if(EXISTS "${location}")
      add_library(TorchELU::imported_${name} SHARED IMPORTED ${scope})
      set_target_properties(TorchELU::imported_${name} PROPERTIES IMPORTED_LOCATION "${location}")
    endif()
  endforeach()

  add_library(TorchELU::torch INTERFACE IMPORTED ${scope})
  target_include_directories(TorchELU::torch INTERFACE "${root}/include" "${root}/include/torch/csrc/api/include")
  target_link_libraries(TorchELU::torch INTERFACE TorchELU::imported_torch_cpu TorchELU::imported_c10)
  target_compile_features(TorchELU::torch INTERFACE cxx_std_20)
  foreach(folder IN LISTS nvidia_folders)
    target_link_options(TorchELU::torch INTERFACE "SHELL:-Xlinker -rpath-link -Xlinker \"${folder}\"")
  endforeach()
  if(TARGET TorchELU::imported_torch_cuda)
    add_library(TorchELU::torch_cuda INTERFACE IMPORTED ${scope})
    target_link_libraries(TorchELU::torch_cuda INTERFACE TorchELU::torch TorchELU::imported_torch_cuda TorchELU::imported_c10_cuda)
  endif()
  if(TARGET TorchELU::imported_torch_python)
    add_library(TorchELU::torch_python INTERFACE IMPORTED ${scope})
    target_link_libraries(TorchELU::torch_python INTERFACE TorchELU::torch TorchELU::imported_torch_python)
  endif()

  # An app that only loads a TorchScript model refers to no symbol of this library, nor one that runs on CUDA to any of
  # libtorch's CUDA half; both register themselves when loaded, so the linker must keep them under --as-needed.
  # PyTorch's come first: where torch does not lie beside this package, the run path of our library leads to none of
  # its libraries, and the app's has to load them before our library asks for them, or for what they need themselves.
  add_library(TorchELU::stays_linked INTERFACE IMPORTED ${scope})
  torch_elu_keep_linked(torch_elu c10 torch)
endfunction()

# The same for the CUDA half, where there is one and PyTorch is built with the same major version of CUDA.
#   torch_elu_keep_cuda_linked(version of CUDA that the kernels were compiled with)
function(torch_elu_keep_cuda_linked built)
  string(REGEX MATCH "^[0-9]+" found "${TorchELU_TORCH_CUDA_VERSION}")
  if(TARGET TorchELU::torch_elu_cuda AND found AND built MATCHES "^${found}(\\.|$)")
    torch_elu_keep_linked(torch_elu_cuda c10_cuda torch_cuda)
  endif()
endfunction()

function(torch_elu_keep_linked target)
  if(NOT APPLE)  # whose linker drops no library that was named
    set(libraries "")
    foreach(name IN LISTS ARGN)
      string(APPEND libraries " \"${TorchELU_TORCH_ROOT}/lib/lib${name}${CMAKE_SHARED_LIBRARY_SUFFIX}\"")
    endforeach()
    target_link_options(TorchELU::stays_linked INTERFACE
      "SHELL:-Wl,--push-state,--no-as-needed${libraries} \"$<TARGET_FILE:TorchELU::${target}>\" -Wl,--pop-state")
  endif()
endfunction()
