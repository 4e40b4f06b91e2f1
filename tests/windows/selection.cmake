# Which unit tests are built for Windows: those of rooms that are there, but for what is one system's own (test_*_linux.c, test_*_posix.c,
# runtime/linux/).

# A test, or a directory of tests, the longest that fits, and the library without which it makes no sense.
set(SKEP_TEST_ROOMS
    "manager/ca/service skep_agent" "manager/dispatcher/service skep_agent" "runtime/image/store skep_image_tool"
    "runtime/image/tool skep_image_tool" "runtime/image skep_image" "runtime/linux skep_runtime_linux" "runtime/windows skep_runtime"
    "runtime skep_runtime" "base skep_base" "raft skep_raft" "proto skep_grpc" "agent skep_agent" "manager skep_manager"
    "api/swarm skep_api_swarm" "api skep_api" "daemon skep_daemon" "cli skep_cli" "sim skep_sim")

function(skep_room_of name out_var)
    foreach(pair ${SKEP_TEST_ROOMS})
        separate_arguments(pair UNIX_COMMAND ${pair})
        list(GET pair 0 directory)
        if(name MATCHES "^${directory}(/|$)")
            list(GET pair 1 room)
            set(${out_var} ${room} PARENT_SCOPE)
            return()
        endif()
    endforeach()
    message(FATAL_ERROR "tests/windows/selection.cmake does not know the room of ${name}")
endfunction()

function(skep_select_tests list_var)
    set(selected "")
    foreach(source ${${list_var}})
        file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR}/unit ${source})
        string(REGEX REPLACE "/test_([^/]*)\\.c$" "/\\1" name ${relative})
        if(name MATCHES "_(linux|posix)$")
            continue()
        endif()
        skep_room_of(${name} room)
        if(NOT TARGET ${room})
            continue()
        endif()
        list(APPEND selected ${source})
    endforeach()
    list(LENGTH selected count)
    list(LENGTH ${list_var} all)
    message(STATUS "${count} of ${all} unit tests are for what is built here")
    set(${list_var} ${selected} PARENT_SCOPE)
endfunction()
