# SPDX-License-Identifier: Apache-2.0
# warren_library(model SOURCES a.c b.c LINKS warren_base)   → target warren_model
function(warren_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(warren_${name} STATIC ${arg_SOURCES})
  target_link_libraries(warren_${name} PUBLIC ${arg_LINKS})
endfunction()

# warren_program(warren-gateway SOURCES gateway.c LINKS warren_gateway)
function(warren_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# warren_unit_test(json_scan LINKS warren_base)   builds tests/unit/json_scan_test.c
function(warren_unit_test name)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  add_executable(${name}_test ${name}_test.c)
  target_link_libraries(${name}_test PRIVATE ${arg_LINKS} PkgConfig::cmocka)
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/unit")
  add_test(NAME ${name} COMMAND ${name}_test)
endfunction()
