# How every target of this project is compiled and linked, and what the libraries show.
#   torch_elu_set_flags(target)
#   torch_elu_export_only(target [symbols.map])

include(CheckLinkerFlag)

# What GNU's linker and lld know; macOS's does not.
check_linker_flag(CXX "LINKER:-z,relro,-z,now,-z,noexecstack" TORCH_ELU_LINKER_HAS_RELRO)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.map "{ local: *; };\n")
check_linker_flag(CXX "LINKER:--version-script=${CMAKE_CURRENT_BINARY_DIR}/empty.map" TORCH_ELU_LINKER_HAS_VERSION_SCRIPT)

function(torch_elu_set_flags target)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${target} PRIVATE cxx_std_20)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic>
                                             "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall;-Xcompiler=-Wextra>")
  endif()
  # A fused multiply-add is written as one where it is wanted: a compiler that fuses more changes the bits.
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>
    "$<$<COMPILE_LANGUAGE:CUDA>:--fmad=false;--expt-relaxed-constexpr>")
  # What makes a bug, of ours or of the process that loads the library, harder to exploit. The C library's checks need
  # an optimiser; some compilers set a level themselves, so -U clears it. Addresses of functions are all found at
  # load time and then write-protected; neither stack nor heap is executable.
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-fstack-protector-strong>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fstack-protector-strong>
    "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Debug>>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  if(TORCH_ELU_LINKER_HAS_RELRO)
    target_link_options(${target} PRIVATE "LINKER:-z,relro,-z,now,-z,noexecstack")
  endif()
  if(TORCH_ELU_CUDA)
    set_target_properties(${target} PROPERTIES
      CUDA_ARCHITECTURES "${TORCH_ELU_CUDA_ARCHITECTURES}"
      CUDA_STANDARD 20
      CUDA_STANDARD_REQUIRED ON
      CUDA_VISIBILITY_PRESET hidden
      CUDA_RUNTIME_LIBRARY Shared)
  endif()
endfunction()

# Hidden visibility leaves templates and type information of PyTorch and the C++ library visible: another library in the
# process would take ours for its own. A version script does not.
function(torch_elu_export_only target)
  if(TORCH_ELU_LINKER_HAS_VERSION_SCRIPT)
    set(script ${CMAKE_CURRENT_BINARY_DIR}/empty.map)
    if(ARGN)
      set(script ${CMAKE_CURRENT_SOURCE_DIR}/${ARGN})
    endif()
    target_link_options(${target} PRIVATE "LINKER:--version-script=${script}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${script})
  endif()
endfunction()
