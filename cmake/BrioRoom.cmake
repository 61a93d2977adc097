# The rooms of the house.
#
# brio_room(<name> [EXTRA_SOURCES_FROM <room>] [DEPENDS <rooms>] [LIBRARIES <libraries>])
#   declares the room brio/<name>/.
# brio_build_house()
#   makes, for every declared room, the library brio_<name> with the alias brio::<name>, static or
#   shared by BUILD_SHARED_LIBS, and brio::brio for all of them together.
#
# Headers and sources are found by looking, at every build, so a new file needs no word anywhere.
# A room with headers alone becomes an interface library; a room without files is skipped.

set_property(GLOBAL PROPERTY BRIO_DECLARED_ROOMS "")  # in the order of the table
set_property(GLOBAL PROPERTY BRIO_DECLARED_FOLDERS "")  # the same, and what EXTRA_SOURCES_FROM adds
set_property(GLOBAL PROPERTY BRIO_BUILT_ROOMS "")

# Sets <out> to a value that brio_room or the building of the room noted about it.
macro(brio_room_get out name key)
  get_property(${out} GLOBAL PROPERTY BRIO_ROOM_${name}_${key})
endmacro()

function(brio_room name)
  cmake_parse_arguments(PARSE_ARGV 1 ROOM "" "EXTRA_SOURCES_FROM" "DEPENDS;LIBRARIES")
  if(ROOM_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "brio_room(${name}): what is \"${ROOM_UNPARSED_ARGUMENTS}\"?")
  endif()
  get_property(known GLOBAL PROPERTY BRIO_DECLARED_FOLDERS)
  set(depends "")
  foreach(below ${ROOM_DEPENDS})
    if(NOT below IN_LIST known)
      message(FATAL_ERROR "brio_room(${name}): ${below} is not above it in the table")
    endif()
    # A folder that lives in another room's library (engine in core) means that library.
    brio_room_get(owner ${below} OWNER)
    list(APPEND depends ${owner})
  endforeach()
  list(REMOVE_DUPLICATES depends)

  set(folders ${name} ${ROOM_EXTRA_SOURCES_FROM})
  set_property(GLOBAL APPEND PROPERTY BRIO_DECLARED_ROOMS ${name})
  set_property(GLOBAL APPEND PROPERTY BRIO_DECLARED_FOLDERS ${folders})
  foreach(folder ${folders})
    set_property(GLOBAL PROPERTY BRIO_ROOM_${folder}_OWNER ${name})
  endforeach()
  set_property(GLOBAL PROPERTY BRIO_ROOM_${name}_FOLDERS ${folders})
  set_property(GLOBAL PROPERTY BRIO_ROOM_${name}_DEPENDS ${depends})
  set_property(GLOBAL PROPERTY BRIO_ROOM_${name}_LIBRARIES ${ROOM_LIBRARIES})
endfunction()

# The rooms named in `out` and everything below them.
function(brio_rooms_closure out)
  set(wanted "")
  set(queue ${ARGN})
  while(queue)
    list(POP_FRONT queue room)
    brio_room_get(owner ${room} OWNER)
    if(NOT owner)
      message(FATAL_ERROR "BRIO_ROOMS: there is no room ${room}")
    endif()
    if(NOT owner IN_LIST wanted)
      list(APPEND wanted ${owner})
      brio_room_get(depends ${owner} DEPENDS)
      list(APPEND queue ${depends})
    endif()
  endwhile()
  set(${out} ${wanted} PARENT_SCOPE)
endfunction()

function(brio_build_house)
  get_property(rooms GLOBAL PROPERTY BRIO_DECLARED_ROOMS)
  set(wanted ${rooms})
  if(BRIO_ROOMS)
    brio_rooms_closure(wanted ${BRIO_ROOMS})
  endif()
  foreach(room ${rooms})
    if(room IN_LIST wanted)
      brio_build_room(${room})
    endif()
  endforeach()

  add_library(brio_brio INTERFACE)
  add_library(brio::brio ALIAS brio_brio)
  set_target_properties(brio_brio PROPERTIES EXPORT_NAME brio)
  get_property(built GLOBAL PROPERTY BRIO_BUILT_ROOMS)
  foreach(room ${built})
    target_link_libraries(brio_brio INTERFACE brio_${room})
  endforeach()
  list(JOIN built " " text)
  message(STATUS "brio ${PROJECT_VERSION}: rooms ${text}")
endfunction()

function(brio_build_room name)
  brio_room_get(folders ${name} FOLDERS)
  set(sources "")
  set(headers "")
  foreach(folder ${folders})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/brio/${folder}/*.cpp)
    list(APPEND sources ${found})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/brio/${folder}/*.hpp)
    list(APPEND headers ${found})
  endforeach()
  if(NOT sources AND NOT headers)
    return()
  endif()

  set(target brio_${name})
  if(sources)
    set(public PUBLIC)
    set(private PRIVATE)
    add_library(${target} ${sources})
    brio_warnings(${target})
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME brio-${name}
      VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}
      CXX_VISIBILITY_PRESET hidden
      VISIBILITY_INLINES_HIDDEN ON)
    if(BRIO_UNITY)
      set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
    endif()
    if(BUILD_SHARED_LIBS)
      # The running loop and the frame pool are thread-local: one load instead of a call.
      target_compile_options(${target} PRIVATE -ftls-model=initial-exec)
      if(NOT BRIO_SANITIZE)
        # A library that does not link what it uses is found out here, not by its user.
        target_link_options(${target} PRIVATE -Wl,-z,defs)
        set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
        target_link_options(${target} PRIVATE -Wl,--version-script=${exports})
        set_target_properties(${target} PROPERTIES LINK_DEPENDS ${exports})
      endif()
    else()
      target_compile_definitions(${target} PUBLIC BRIO_STATIC)
    endif()
  else()
    set(public INTERFACE)
    set(private INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${public} cxx_std_20)
  target_include_directories(${target} ${public}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  brio_room_get(depends ${name} DEPENDS)
  foreach(below ${depends})
    if(TARGET brio_${below})
      target_link_libraries(${target} ${public} brio_${below})
    endif()
  endforeach()
  brio_room_get(libraries ${name} LIBRARIES)
  foreach(library ${libraries})
    brio_find_library(${library})
    foreach(external ${BRIO_LIBRARY_${library}_TARGETS})
      if(BRIO_LIBRARY_${library}_BUILD_ONLY)
        # Its headers are needed here, but an installed brio must not ask for it.
        target_link_libraries(${target} ${private} $<BUILD_INTERFACE:${external}>)
      else()
        target_link_libraries(${target} ${private} ${external})
      endif()
    endforeach()
  endforeach()

  foreach(folder ${folders})
    add_library(brio::${folder} ALIAS ${target})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY BRIO_BUILT_ROOMS ${name})
endfunction()
