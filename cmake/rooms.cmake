# How a room says what it is made of.

# skep_add_library(NAME SOURCES … LINKS …): one room, or a floor of one.
function(skep_add_library name)
    cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
    add_library(${name} STATIC ${A_SOURCES})
    target_link_libraries(${name} PUBLIC skep_options ${A_LINKS})
endfunction()

# skep_add_program(NAME SOURCES … LINKS …): what is installed. On Windows with its version, and a manifest (deploy/windows/).
function(skep_add_program name)
    cmake_parse_arguments(A "" "" "SOURCES;LINKS" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LINKS})
    if(WIN32)
        skep_add_resource(${name})
        # What describes the program to a debugger lies beside it, in NAME.debug, and is not shipped.
        add_custom_command(TARGET ${name} POST_BUILD
            COMMAND ${CMAKE_OBJCOPY} --only-keep-debug ${name}.exe ${name}.debug
            COMMAND ${CMAKE_STRIP} ${name}.exe
            COMMAND ${CMAKE_OBJCOPY} --add-gnu-debuglink=${name}.debug ${name}.exe
            WORKING_DIRECTORY $<TARGET_FILE_DIR:${name}> VERBATIM)
    endif()
endfunction()

# Gives @target the version resource and the manifest.
function(skep_add_resource target)
    get_target_property(description ${target} SKEP_DESCRIPTION)
    if(NOT description)
        set(description ${PROJECT_DESCRIPTION})
    endif()
    string(REPLACE "." "," version_numbers "${PROJECT_VERSION}.0")
    configure_file(${CMAKE_SOURCE_DIR}/deploy/windows/program.rc.in ${CMAKE_CURRENT_BINARY_DIR}/${target}.rc @ONLY)
    configure_file(${CMAKE_SOURCE_DIR}/deploy/windows/program.manifest ${CMAKE_CURRENT_BINARY_DIR}/program.manifest COPYONLY)
    target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${target}.rc)
    set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/${target}.rc PROPERTIES OBJECT_DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/program.manifest)
endfunction()
