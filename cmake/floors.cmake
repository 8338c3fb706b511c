# bittern_floor(NAME [FLOORS lower...] [LIBRARIES external...]): the object library of src/NAME,
# every .cc below it (a sub-folder main/ holds a program's entry and is left out).
function(bittern_floor name)
  cmake_parse_arguments(ARG "" "" "FLOORS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/src/${name}/main/")
  if(NOT sources)
    file(WRITE ${PROJECT_BINARY_DIR}/empty_${name}.cc "")
    set(sources ${PROJECT_BINARY_DIR}/empty_${name}.cc)
  endif()
  add_library(bittern_${name} STATIC ${sources})
  target_include_directories(bittern_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(floor IN LISTS ARG_FLOORS)
    target_link_libraries(bittern_${name} PUBLIC bittern_${floor})
  endforeach()
  target_link_libraries(bittern_${name} PUBLIC ${ARG_LIBRARIES})
  target_precompile_headers(bittern_${name} PRIVATE
    <algorithm> <memory> <string> <vector> <fmt/format.h>)
endfunction()

# Instruction-set flags, per file and nowhere else. Such files are src/kernel/isa/ISA.cc and
# src/kernel/isa/FAMILY_ISA.cc: they export one constant table each and include nothing with inline
# functions (tests/tidy checks). Without exceptions: code without optimisation would name their
# personality routine.
function(bittern_isa_sources)
  set(dir ${PROJECT_SOURCE_DIR}/src/kernel/isa)
  set(flags_scalar "")
  set(flags_avx2 -mavx2 -mfma -mf16c)
  set(flags_avxvnni ${flags_avx2} -mavxvnni)
  set(flags_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni)
  set(flags_avx512bf16 ${flags_avx512} -mavx512bf16)
  set(flags_avx512dual ${flags_avx512})
  set(flags_avx512vbmi ${flags_avx512} -mavx512vbmi)
  set(flags_avx512gfni ${flags_avx512vbmi} -mgfni)
  set(flags_amx ${flags_avx512})  # tiles are inline assembly (isa/tiles.inl)
  set(flags_amxvbmi ${flags_avx512vbmi})
  set(flags_neon -march=armv8.2-a+dotprod)
  set(flags_neoni8mm -march=armv8.2-a+dotprod+i8mm)
  file(GLOB files CONFIGURE_DEPENDS ${dir}/*.cc)
  foreach(file IN LISTS files)
    get_filename_component(isa ${file} NAME_WE)
    string(REGEX REPLACE "^.*_" "" isa ${isa})
    if(NOT DEFINED flags_${isa})
      message(FATAL_ERROR "${file} has no flags for ${isa} in cmake/floors.cmake")
    endif()
    if((isa MATCHES "^neon" AND NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64") OR
       (isa MATCHES "^a[vm]x" AND NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64"))
      # Of another architecture: listed, not compiled.
      set_source_files_properties(${file} TARGET_DIRECTORY bittern_kernel PROPERTIES
        HEADER_FILE_ONLY ON)
      continue()
    endif()
    set_source_files_properties(${file} TARGET_DIRECTORY bittern_kernel PROPERTIES
      COMPILE_OPTIONS "-fno-exceptions;${flags_${isa}}" SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
endfunction()

# bittern_test(NAME floors...): one program of every tests/NAME/*_test.cc.
function(bittern_test name)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_support.cc)
  add_executable(test_${name} ${sources} ${support})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE
    BITTERN_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data" BITTERN_SOURCE="${PROJECT_SOURCE_DIR}")
  foreach(floor IN LISTS ARGN)
    target_link_libraries(test_${name} PRIVATE bittern_${floor})
  endforeach()
  target_link_libraries(test_${name} PRIVATE GTest::gtest_main)
  target_precompile_headers(test_${name} PRIVATE
    <algorithm> <memory> <string> <vector> <fmt/format.h> <gtest/gtest.h>)
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endfunction()
