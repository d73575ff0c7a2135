# _C, the direct calls from Python, for each of TORCH_ELU_PYTHONS. PyTorch's headers are the same for every Python.

find_package(Python REQUIRED COMPONENTS Interpreter)
set(TORCH_ELU_PYTHONS "${Python_EXECUTABLE}" CACHE STRING "The interpreters that _C is built for")
set(ask [[
import sysconfig
print(sysconfig.get_path("include"), sysconfig.get_config_var("EXT_SUFFIX"), sep=";")
]])
foreach(interpreter IN LISTS TORCH_ELU_PYTHONS)
  execute_process(COMMAND ${interpreter} -c "${ask}" OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  list(GET answer 0 headers)
  list(GET answer 1 suffix)
  if(NOT EXISTS "${headers}/Python.h")
    message(FATAL_ERROR "torch_elu: ${interpreter} has no Python.h in ${headers}; install it (Debian: python3-dev).")
  endif()
  if(CMAKE_CROSSCOMPILING)
    string(REPLACE "${CMAKE_HOST_SYSTEM_PROCESSOR}" "${CMAKE_SYSTEM_PROCESSOR}" suffix "${suffix}")
  endif()
  string(MAKE_C_IDENTIFIER "torch_elu_python${suffix}" target)
  add_library(${target} MODULE csrc/python/bindings.cpp csrc/compat/older_systems.cpp)
  target_include_directories(${target} SYSTEM PRIVATE ${headers})
  target_include_directories(${target} PRIVATE csrc/include)
  # By its path: the CUDA half is loaded where it can work, and must not come with the bindings.
  add_dependencies(${target} torch_elu)
  target_link_libraries(${target} PRIVATE $<TARGET_FILE:torch_elu> TorchELU::torch_python)
  torch_elu_set_flags(${target})
  torch_elu_export_only(${target} csrc/python/exports.map)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME _C SUFFIX "${suffix}" INSTALL_RPATH "${rpath}")
  install(TARGETS ${target} LIBRARY DESTINATION ${library_folder})
endforeach()
