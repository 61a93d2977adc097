# brio_add_test(<name>
#   TARGET <executable target> | COMMAND <command…>
#   [ARGS <arguments…>]        after TARGET's file
#   [LABELS <labels…>]         "threads" puts the test (and its target) into `make tsan`
#   [TIMEOUT <seconds>]        300 unless told; four times that under a sanitizer
#   [COST <seconds>]           about what it takes where that is long: such tests begin first
#   [ENVIRONMENT <K=V…>]
#   [WORKING_DIRECTORY <dir>]
#   [NO_ENGINES]               the test runs no loop: register it once
#   [FAULTS])                  once more over a FaultyEngine, as <name>.faults (tests/faults.cpp)
#
# Registers the test with ctest once for each engine in BRIO_ENGINES, as <name>.<engine>, in debug
# mode and with BRIO_LOOP set to the engine.
include_guard(GLOBAL)

# io_uring counts from the day that it exists.
file(GLOB brio_uring_engine CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/brio/engine/*uring*.cpp)
set(BRIO_ENGINES "" CACHE STRING "The engines that every test runs on; empty means all there are")
if(BRIO_ENGINES)
  set(BRIO_TEST_ENGINES ${BRIO_ENGINES})
elseif(brio_uring_engine)
  set(BRIO_TEST_ENGINES epoll io_uring)
else()
  set(BRIO_TEST_ENGINES epoll)
endif()

# What a sanitizer run needs; the first report ends the test.
set(BRIO_TEST_ENVIRONMENT
  BRIO_DEBUG=1
  "ASAN_OPTIONS=abort_on_error=0:detect_leaks=1:strict_string_checks=1:check_initialization_order=1"
  "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
find_program(BRIO_SYMBOLIZER NAMES llvm-symbolizer-19 llvm-symbolizer
             HINTS /usr/lib/llvm-19/bin)
if(BRIO_SANITIZE AND BRIO_SYMBOLIZER)
  list(APPEND BRIO_TEST_ENVIRONMENT
       ASAN_SYMBOLIZER_PATH=${BRIO_SYMBOLIZER} TSAN_SYMBOLIZER_PATH=${BRIO_SYMBOLIZER}
       UBSAN_SYMBOLIZER_PATH=${BRIO_SYMBOLIZER})
endif()

# Builds what the tests with the label "threads" run, and nothing else.
add_custom_target(brio_thread_tests)

function(brio_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 T "NO_ENGINES;FAULTS" "TARGET;TIMEOUT;COST;WORKING_DIRECTORY"
                        "COMMAND;ARGS;LABELS;ENVIRONMENT")
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "brio_add_test(${name}): what is \"${T_UNPARSED_ARGUMENTS}\"?")
  endif()
  if(T_TARGET)
    set(T_COMMAND ${T_TARGET} ${T_ARGS})
    if("threads" IN_LIST T_LABELS)
      add_dependencies(brio_thread_tests ${T_TARGET})
    endif()
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  if(BRIO_SANITIZE)
    math(EXPR T_TIMEOUT "${T_TIMEOUT} * 4")
  endif()
  if(NOT T_COST)
    set(T_COST 0)
  endif()
  set(location "")
  if(T_WORKING_DIRECTORY)
    set(location WORKING_DIRECTORY ${T_WORKING_DIRECTORY})
  endif()

  if(T_NO_ENGINES)
    add_test(NAME ${name} COMMAND ${T_COMMAND} ${location})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} COST ${T_COST} LABELS "${T_LABELS}"
                         ENVIRONMENT "${BRIO_TEST_ENVIRONMENT};${T_ENVIRONMENT}")
    return()
  endif()
  foreach(engine ${BRIO_TEST_ENGINES})
    add_test(NAME ${name}.${engine} COMMAND ${T_COMMAND} ${location})
    set_tests_properties(${name}.${engine} PROPERTIES
      TIMEOUT ${T_TIMEOUT} COST ${T_COST} LABELS "${engine};${T_LABELS}"
      ENVIRONMENT "BRIO_LOOP=${engine};${BRIO_TEST_ENVIRONMENT};${T_ENVIRONMENT}")
  endforeach()
  if(T_FAULTS)
    list(GET BRIO_TEST_ENGINES -1 engine)
    add_test(NAME ${name}.faults COMMAND ${T_COMMAND} ${location})
    set_tests_properties(${name}.faults PROPERTIES
      TIMEOUT ${T_TIMEOUT} COST ${T_COST} LABELS "faults;${T_LABELS}"
      ENVIRONMENT
        "BRIO_LOOP=${engine};BRIO_TEST_FAULTS=1;${BRIO_TEST_ENVIRONMENT};${T_ENVIRONMENT}")
  endif()
endfunction()
