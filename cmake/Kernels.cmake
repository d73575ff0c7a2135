# The CPU kernels are compiled once for each instruction set and chosen when they run.
#   torch_elu_add_kernels(target [EMULATED_AVX512])

include(${CMAKE_CURRENT_LIST_DIR}/Flags.cmake)

# -fno-trapping-math changes no result; with it GCC vectorises plain loops, on processors without vectors of ours.
# -fno-exceptions: nothing here throws, and the objects share no reference to the C++ runtime.
# tools/arm.sh reads this line, too.
set(TORCH_ELU_KERNEL_FLAGS -O3 -fno-trapping-math -fno-exceptions)
# AddressSanitizer marks the scope of every vector in every inlined function: with that GCC 12 compiles the float
# kernels in 75 s, without in 5.
set(TORCH_ELU_NO_SCOPES -fno-sanitize-address-use-after-scope)

function(torch_elu_add_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "EMULATED_AVX512" "" "")
  set(source ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../csrc/kernels/cpu/kernels.cpp)
  set(instruction_sets baseline)
  set(flags_baseline "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND instruction_sets avx2 avx512)
    set(flags_avx2 -mavx2 -mfma -mf16c)
    set(flags_avx512 -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma -mf16c)
    if(arg_EMULATED_AVX512)
      set(header ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../tests/cpp/emulated_avx512.h)
      set(flags_avx512 ${flags_avx2} -O1 -include ${header})  # at -O3 it compiles for minutes
    endif()
  endif()
  foreach(instruction_set IN LISTS instruction_sets)
    set(object ${target}_kernels_${instruction_set})
    add_library(${object} OBJECT ${source})
    torch_elu_set_flags(${object})
    target_include_directories(${object} PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../csrc)
    target_compile_definitions(${object} PRIVATE TORCH_ELU_SIMD=${instruction_set})
    target_compile_options(${object} PRIVATE ${TORCH_ELU_KERNEL_FLAGS} ${flags_${instruction_set}})
    if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=address")
      target_compile_options(${object} PRIVATE ${TORCH_ELU_NO_SCOPES})
    endif()
    set_target_properties(${object} PROPERTIES CXX_VISIBILITY_PRESET default)  # the tables of kernels.h
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
  endforeach()
endfunction()
