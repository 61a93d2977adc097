# The external libraries that rooms may name after LIBRARIES, and what each means to CMake, to an
# installed brio and to pkg-config.
#
#   brio_library(<name>
#     PACKAGE <arguments of find_package>   how it is found
#     HEADER <file>                         or, without a package, by a header and the library's name
#     TARGETS <targets>                     what is linked: targets, or the library's plain name
#     PC_REQUIRES <pkg-config modules>      what a .pc file requires
#     PC_LIBS <flags>                       or which flags it adds
#     DEBIAN <package>                      what to install where it is missing
#     [BUILD_ONLY])                         used by .cpp files only, and nothing is left to link

set(BRIO_LIBRARY_NAMES "")

function(brio_library name)
  cmake_parse_arguments(PARSE_ARGV 1 LIB "BUILD_ONLY" "DEBIAN;HEADER" "PACKAGE;TARGETS;PC_REQUIRES;PC_LIBS")
  foreach(key PACKAGE HEADER TARGETS PC_REQUIRES PC_LIBS DEBIAN BUILD_ONLY)
    set(BRIO_LIBRARY_${name}_${key} "${LIB_${key}}" PARENT_SCOPE)
  endforeach()
  list(APPEND BRIO_LIBRARY_NAMES ${name})
  set(BRIO_LIBRARY_NAMES ${BRIO_LIBRARY_NAMES} PARENT_SCOPE)
endfunction()

brio_library(Threads PACKAGE Threads TARGETS Threads::Threads PC_LIBS -pthread DEBIAN libc6-dev)
brio_library(Uring HEADER liburing.h TARGETS uring PC_REQUIRES liburing DEBIAN liburing-dev)
brio_library(OpenSSL PACKAGE OpenSSL 3.0 TARGETS OpenSSL::SSL OpenSSL::Crypto
             PC_REQUIRES libssl libcrypto DEBIAN libssl-dev)
brio_library(ZLIB PACKAGE ZLIB TARGETS ZLIB::ZLIB PC_REQUIRES zlib DEBIAN zlib1g-dev)
brio_library(Idn2 HEADER idn2.h TARGETS idn2 PC_REQUIRES libidn2 DEBIAN libidn2-dev)
brio_library(Psl HEADER libpsl.h TARGETS psl PC_REQUIRES libpsl DEBIAN libpsl-dev)
brio_library(BoostHeaders PACKAGE Boost 1.81 TARGETS Boost::headers DEBIAN libboost1.81-dev
             BUILD_ONLY)

# Finds the library `name`, or stops with the package to install. A macro, because find_package
# leaves its results (and, for some packages, its targets) in the scope of the caller.
macro(brio_find_library name)
  if(NOT BRIO_LIBRARY_${name}_TARGETS)
    message(FATAL_ERROR "brio: unknown library ${name}; declare it in cmake/BrioLibraries.cmake")
  endif()
  set(brio_missing "")
  if(BRIO_LIBRARY_${name}_HEADER)
    find_path(BRIO_${name}_INCLUDE_DIR ${BRIO_LIBRARY_${name}_HEADER})
    find_library(BRIO_${name}_LIBRARY ${BRIO_LIBRARY_${name}_TARGETS})
    mark_as_advanced(BRIO_${name}_INCLUDE_DIR BRIO_${name}_LIBRARY)
    if(NOT BRIO_${name}_INCLUDE_DIR OR NOT BRIO_${name}_LIBRARY)
      set(brio_missing ${name})
    endif()
  else()
    find_package(${BRIO_LIBRARY_${name}_PACKAGE} QUIET)
    foreach(brio_target ${BRIO_LIBRARY_${name}_TARGETS})
      if(NOT TARGET ${brio_target})
        set(brio_missing ${name})
      endif()
    endforeach()
  endif()
  if(brio_missing)
    message(FATAL_ERROR
      "brio: ${name} is missing. On Debian: apt-get install ${BRIO_LIBRARY_${name}_DEBIAN}. "
      "To build without the rooms that need it: -DBRIO_ROOMS=\"core;sync;net\" (those you want).")
  endif()
endmacro()
