# The kernels know nothing of PyTorch: a library of them serves every version of it.
#   torch_elu_link_kernels(target name symbols.map [sources...])
# Input:  TORCH_ELU_KERNELS  where the libraries of an earlier build are; empty: they are compiled, as target `name`
# Output: torch_elu_kernels  their paths

set(TORCH_ELU_KERNELS "" CACHE PATH "The folder of the libraries of kernels that another build has made")
set(torch_elu_kernels "")

function(torch_elu_link_kernels target name exports)
  if(TORCH_ELU_KERNELS)
    set(library ${TORCH_ELU_KERNELS}/lib${name}.so)
  else()
    add_library(${name} SHARED csrc/compat/older_systems.cpp ${ARGN})
    torch_elu_set_flags(${name})
    torch_elu_export_only(${name} ${exports})
    target_include_directories(${name} PRIVATE csrc)
    add_dependencies(${target} ${name})
    set(library $<TARGET_FILE:${name}>)
  endif()
  # By its path: it belongs to no export file, since it is there once for all of them.
  target_link_libraries(${target} PRIVATE ${library})
  set(torch_elu_kernels ${torch_elu_kernels} ${library} PARENT_SCOPE)
endfunction()
