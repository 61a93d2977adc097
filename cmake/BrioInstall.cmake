# Install rules: headers, libraries, the CMake package, one pkg-config file per room, and the man
# page and completions of the command where they exist.
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY BRIO_BUILT_ROOMS)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/brio)

# --- headers ---
# One whose first line begins with "// Inside brio/" is for the room's own .cpp files and stays home.
foreach(room ${rooms})
  brio_room_get(folders ${room} FOLDERS)
  foreach(folder ${folders})
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
         ${PROJECT_SOURCE_DIR}/brio/${folder}/*.hpp)
    foreach(header ${headers})
      file(STRINGS ${PROJECT_SOURCE_DIR}/${header} first LIMIT_COUNT 1)
      if(NOT first MATCHES "^// Inside brio/")
        get_filename_component(place ${header} DIRECTORY)
        install(FILES ${PROJECT_SOURCE_DIR}/${header}
                DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${place})
      endif()
    endforeach()
  endforeach()
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/brio/brio.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/brio
        OPTIONAL)

# --- libraries ---
list(TRANSFORM rooms PREPEND brio_ OUTPUT_VARIABLE targets)
install(TARGETS ${targets} brio_brio EXPORT brioTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

# --- find_package(brio COMPONENTS …) ---
# For each room: its folders, what it depends on, and the external packages that a user of it has
# to find. A shared library has linked its own, so only static builds ask for them.
set(BRIO_CONFIG_ROOMS "")
foreach(room ${rooms})
  brio_room_get(folders ${room} FOLDERS)
  brio_room_get(depends ${room} DEPENDS)
  brio_room_get(libraries ${room} LIBRARIES)
  set(packages "")
  get_target_property(type brio_${room} TYPE)
  foreach(library ${libraries})
    if(NOT BRIO_LIBRARY_${library}_BUILD_ONLY AND NOT type STREQUAL "SHARED_LIBRARY")
      list(JOIN BRIO_LIBRARY_${library}_PACKAGE " " package)
      list(APPEND packages "${package}")
    endif()
  endforeach()
  string(APPEND BRIO_CONFIG_ROOMS
    "set(_brio_${room}_folders ${folders})\n"
    "set(_brio_${room}_depends ${depends})\n"
    "set(_brio_${room}_packages \"${packages}\")\n")
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/brioConfig.cmake.in
  ${PROJECT_BINARY_DIR}/brioConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change everything.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/brioConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT brioTargets NAMESPACE brio:: DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/brioConfig.cmake ${PROJECT_BINARY_DIR}/brioConfigVersion.cmake
        DESTINATION ${package_dir})

# --- pkg-config: brio-<room>.pc, and brio.pc for all ---
# The prefix is told from where the file lies, so an installed tree may be moved.
file(RELATIVE_PATH PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
foreach(room ${rooms})
  brio_room_get(depends ${room} DEPENDS)
  brio_room_get(libraries ${room} LIBRARIES)
  get_target_property(type brio_${room} TYPE)
  set(PC_NAME brio-${room})
  set(PC_WHAT "room ${room}")
  set(PC_REQUIRES "")
  set(PC_REQUIRES_PRIVATE "")
  set(PC_LIBS "")
  set(PC_CFLAGS "-I\${includedir}")
  foreach(below ${depends})
    if(TARGET brio_${below})
      list(APPEND PC_REQUIRES "brio-${below} = ${PROJECT_VERSION}")
    endif()
  endforeach()
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    list(APPEND PC_LIBS "-L\${libdir}" -lbrio-${room})
  endif()
  if(type STREQUAL "STATIC_LIBRARY")
    string(APPEND PC_CFLAGS " -DBRIO_STATIC")
  endif()
  foreach(library ${libraries})
    if(BRIO_LIBRARY_${library}_BUILD_ONLY)
      continue()
    endif()
    if(type STREQUAL "SHARED_LIBRARY")
      list(APPEND PC_REQUIRES_PRIVATE ${BRIO_LIBRARY_${library}_PC_REQUIRES})
    else()
      # There is no shared brio that has linked these, so plain --libs must give them.
      list(APPEND PC_REQUIRES ${BRIO_LIBRARY_${library}_PC_REQUIRES})
      list(APPEND PC_LIBS ${BRIO_LIBRARY_${library}_PC_LIBS})
    endif()
  endforeach()
  list(JOIN PC_REQUIRES ", " PC_REQUIRES)
  list(JOIN PC_REQUIRES_PRIVATE ", " PC_REQUIRES_PRIVATE)
  list(JOIN PC_LIBS " " PC_LIBS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/brio.pc.in
                 ${PROJECT_BINARY_DIR}/pkgconfig/brio-${room}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/brio-${room}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
set(PC_NAME brio)
set(PC_WHAT "all rooms")
list(TRANSFORM rooms REPLACE "(.+)" "brio-\\1 = ${PROJECT_VERSION}" OUTPUT_VARIABLE PC_REQUIRES)
list(JOIN PC_REQUIRES ", " PC_REQUIRES)
set(PC_REQUIRES_PRIVATE "")
set(PC_LIBS "")
set(PC_CFLAGS "")
configure_file(${PROJECT_SOURCE_DIR}/cmake/brio.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/brio.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/brio.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# --- the command and what stands beside it ---
if(TARGET brio_cli)
  install(TARGETS brio_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
file(GLOB manuals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/man/*.1)
if(manuals)
  install(FILES ${manuals} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
# Completions have the place and the name that each shell looks for.
install(FILES ${PROJECT_SOURCE_DIR}/cli/completions/brio.bash RENAME brio OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${PROJECT_SOURCE_DIR}/cli/completions/_brio OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${PROJECT_SOURCE_DIR}/cli/completions/brio.fish OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
file(GLOB gdb_scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/brio/debug/*.py)
if(gdb_scripts)
  install(FILES ${gdb_scripts} DESTINATION ${CMAKE_INSTALL_DATADIR}/brio/gdb)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
