# What makes a bug, of ours or of the process that loads the library, harder to exploit; and what the libraries show.
#   torch_elu_export_only(target symbols.map)

add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fstack-protector-strong>"
                    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fstack-protector-strong>")
# The C library's checks need an optimiser. Some compilers come with a level of their own, hence the -U.
add_compile_options("$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Debug>>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
# Addresses of functions are all found at load time and then write-protected; neither stack nor heap is executable.
add_link_options("LINKER:-z,relro,-z,now,-z,noexecstack")

# Hidden visibility leaves templates and type information of PyTorch and the C++ library visible: another library in the
# process would take ours for its own. A version script does not.
function(torch_elu_export_only target symbols)
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/${symbols})
  target_link_options(${target} PRIVATE "LINKER:--version-script=${script}")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${script})
endfunction()
