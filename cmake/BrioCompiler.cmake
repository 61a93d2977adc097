# Compiler, warnings, sanitizers, linker: everything that holds for all of brio's own targets and
# must not leak to its users.

set(CMAKE_CXX_STANDARD 20 CACHE STRING "C++ standard of brio's own code")
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(WARNING "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles C++20 coroutines; brio's headers "
                  "refuse it. Use clang 19 (the presets do) or g++ 14 or newer.")
endif()

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  find_program(BRIO_CCACHE ccache)
  if(BRIO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${BRIO_CCACHE})
    # What uses a precompiled header is kept on this word only; no source of brio's has __TIME__.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1
      ${BRIO_CCACHE})
  endif()

  if(NOT CMAKE_EXE_LINKER_FLAGS MATCHES "-fuse-ld")
    include(CheckLinkerFlag)
    check_linker_flag(CXX -fuse-ld=lld BRIO_HAVE_LLD)
    if(BRIO_HAVE_LLD)
      add_link_options(-fuse-ld=lld)
    endif()
  endif()
endif()

# An installed shared library finds the rooms below it, and the command finds them all, wherever the
# prefix is.
if(BUILD_SHARED_LIBS AND NOT DEFINED CMAKE_INSTALL_RPATH)
  set(CMAKE_INSTALL_RPATH $ORIGIN $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
endif()

set(BRIO_SANITIZER_FLAGS "")
if(BRIO_SANITIZE)
  set(BRIO_SANITIZER_FLAGS -fsanitize=${BRIO_SANITIZE} -fno-omit-frame-pointer)
  if(BRIO_SANITIZE MATCHES "undefined")
    list(APPEND BRIO_SANITIZER_FLAGS -fno-sanitize-recover=undefined)
  endif()
  add_compile_options(${BRIO_SANITIZER_FLAGS})
  add_link_options(${BRIO_SANITIZER_FLAGS})
endif()

# Warnings for a target of brio's own: library, test, example, benchmark or command.
function(brio_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
  if(BRIO_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# For a target of the tests: the headers that most of its files include anyway are read once.
function(brio_test_headers target)
  if(BRIO_TEST_PCH)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# Adds a folder that brings its own CMakeLists.txt, if it is there.
function(brio_add_folder folder)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${PROJECT_SOURCE_DIR}/${folder} ${PROJECT_BINARY_DIR}/${folder})
  endif()
endfunction()
