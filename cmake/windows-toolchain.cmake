# Windows on x86_64, with Debian's mingw-w64 (its gcc with POSIX threads, for C11's) and the libraries that deploy/windows-deps.sh built.
# What is built is run through Wine, so that ctest works as elsewhere.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_SYSTEM_VERSION 10.0)

set(SKEP_MINGW x86_64-w64-mingw32)
set(CMAKE_C_COMPILER ${SKEP_MINGW}-gcc-posix)
set(CMAKE_RC_COMPILER ${SKEP_MINGW}-windres)
set(CMAKE_AR ${SKEP_MINGW}-gcc-ar-posix CACHE STRING "")
set(CMAKE_RANLIB ${SKEP_MINGW}-gcc-ranlib-posix CACHE STRING "")

if(NOT SKEP_WINDEPS)
    execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../deploy/windows-deps.sh --path
        OUTPUT_VARIABLE SKEP_WINDEPS OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "The libraries for Windows are not there. Run: deploy/install-deps.sh build windows && deploy/windows-deps.sh")
    endif()
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SKEP_WINDEPS)

set(CMAKE_FIND_ROOT_PATH ${SKEP_WINDEPS} /usr/${SKEP_MINGW})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${SKEP_WINDEPS}/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")
set(OPENSSL_ROOT_DIR ${SKEP_WINDEPS})
set(OPENSSL_USE_STATIC_LIBS ON)

find_program(SKEP_WINE NAMES wine wine64)
if(SKEP_WINE)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${SKEP_WINE})
endif()
