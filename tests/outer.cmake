# tests/outer.cmake: the programs of the outer rings: the corpus replay of the fuzz targets, and what scripts drive.

# fuzz/fuzz_NAME.c has LLVMFuzzerTestOneInput; its corpus is fuzz/corpus/NAME/. Without libFuzzer a small main replays the corpus.
file(GLOB FUZZ_TARGETS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_*.c)
foreach(source ${FUZZ_TARGETS})
    get_filename_component(target ${source} NAME_WE)
    string(REPLACE "fuzz_" "" name ${target})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE -Wl,--start-group ${SKEP_ROOMS} -Wl,--end-group skep_test_options)
    if(SKEP_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        add_test(NAME fuzz/${name} COMMAND ${target} -runs=0 ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    else()
        target_sources(${target} PRIVATE fuzz/replay_main.c)
        add_test(NAME fuzz/${name} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    endif()
    set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
endforeach()

# fuzz/seed_fuzz_NAME.c writes that corpus' first inputs where the format is binary: `seed_fuzz_NAME DIRECTORY`.
file(GLOB FUZZ_SEEDS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seed_fuzz_*.c)
foreach(source ${FUZZ_SEEDS})
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE -Wl,--start-group ${SKEP_ROOMS} -Wl,--end-group)
endforeach()

# helpers/etcd.proto is what bench/bench_raft_load.c says to etcd and to bench/bench_raft_member.c alike.
add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/tests/helpers/etcd.pb-c.c ${CMAKE_BINARY_DIR}/tests/helpers/etcd.pb-c.h
    COMMAND ${PROTOC_C} -I${CMAKE_SOURCE_DIR} --c_out=${CMAKE_BINARY_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/helpers/etcd.proto
    DEPENDS helpers/etcd.proto VERBATIM)
add_library(test_etcd_messages STATIC ${CMAKE_BINARY_DIR}/tests/helpers/etcd.pb-c.c)
target_include_directories(test_etcd_messages SYSTEM PUBLIC ${CMAKE_BINARY_DIR})
target_link_libraries(test_etcd_messages PUBLIC PkgConfig::PROTOBUF_C)
list(APPEND SKEP_ROOMS test_etcd_messages)

# bench/NAME.c are programs of their own (not run by ctest).
file(GLOB BENCHES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/bench/bench_*.c)
foreach(source ${BENCHES})
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE -Wl,--start-group ${SKEP_ROOMS} -Wl,--end-group)
endforeach()

# helpers/NAME.c are small programs that the outer rings drive (a gRPC echo server, say); some share the unit tests' fixtures.
file(GLOB HELPERS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/helpers/*.c)
foreach(source ${HELPERS})
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE -Wl,--start-group ${SKEP_ROOMS} -Wl,--end-group skep_test_options)
endforeach()

# scenarios/ runs interaction scripts of another Raft against our core; the scripts lie beside the source tree and are not part of it.
file(GLOB SCENARIO_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/scenarios/*.c)
add_executable(raft_scenarios ${SCENARIO_SOURCES})
set_target_properties(raft_scenarios PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(raft_scenarios PRIVATE skep_raft)
add_test(NAME scenario/raft COMMAND sh -c "\"$1\" \"$2\"/*.txt" scenario $<TARGET_FILE:raft_scenarios> ${CMAKE_SOURCE_DIR}/../shared/raft-scenarios)
set_tests_properties(scenario/raft PROPERTIES TIMEOUT 120 LABELS unit)
