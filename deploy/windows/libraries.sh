# What deploy/windows-deps.sh builds: each library's source package, the upstream version that we build against, and how. Sourced, not run.
# Every change of this file makes a new cache; keep what is not about the libraries themselves out of it.
#
# A recipe is build_NAME, run in the unpacked source with: $prefix where it installs, $jobs for make -j.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # read and given by windows-deps.sh

host=x86_64-w64-mingw32
# Debian's gcc with POSIX threads: the bare name is the variant with Windows' own, which lacks C11's.
cross_cc=$host-gcc-posix
cflags='-O2 -ffunction-sections -fdata-sections'

# name  Debian source  upstream version (a prefix)  header that tells it  pattern there
libraries='
openssl     openssl      3.0.    openssl/opensslv.h  define OPENSSL_VERSION_STR "3\.0\.
libuv       libuv1       1.44.   uv/version.h        define UV_VERSION_MINOR 44$
nghttp2     nghttp2      1.52.   nghttp2/nghttp2ver.h  define NGHTTP2_VERSION "1\.52\.
protobufc   protobuf-c   1.4.    protobuf-c/protobuf-c.h  define PROTOBUF_C_VERSION[[:space:]]*"1\.4\.
cjson       cjson        1.7.    cjson/cJSON.h       define CJSON_VERSION_MINOR 7$
cmocka      cmocka       1.1.    cmocka.h            cmocka_unit_test_setup_teardown
sqlite      sqlite3      3.40.   sqlite3.h           define SQLITE_VERSION[[:space:]]*"3\.40\.
zstd        libzstd      1.5.    zstd.h              define ZSTD_VERSION_MINOR[[:space:]]*5$
xz          xz-utils     5.4.    lzma/version.h      define LZMA_VERSION_MINOR 4$
libarchive  libarchive   3.6.    archive.h           define ARCHIVE_VERSION_ONLY_STRING "3\.6\.
curl        curl         7.88.   curl/curlver.h      define LIBCURL_VERSION "7\.88\.
httpparser  http-parser  2.9.    http_parser.h       define HTTP_PARSER_VERSION_MINOR 9$
'

# Built one after another in each line, the lines beside each other: curl needs OpenSSL, libarchive its compressors.
chains='
openssl curl
libuv nghttp2 protobufc cjson cmocka zstd xz libarchive sqlite httpparser
'

cross_cmake() { # OPTION…
    cmake -S . -B out -G Ninja -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=x86_64 -DCMAKE_C_COMPILER=$cross_cc \
        -DCMAKE_CXX_COMPILER=$host-g++-posix -DCMAKE_RC_COMPILER=$host-windres -DCMAKE_BUILD_TYPE=Release "-DCMAKE_C_FLAGS=$cflags" \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_FIND_ROOT_PATH="$prefix;/usr/$host" \
        -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
        -DBUILD_SHARED_LIBS=OFF "$@"
}

cross_configure() { # OPTION…
    ./configure --host=$host --prefix="$prefix" --disable-shared --enable-static CC=$cross_cc CFLAGS="$cflags" "$@"
}

install_headers() { # DIRECTORY FILE…
    mkdir -p "$prefix/include/$1"
    cp "${@:2}" "$prefix/include/$1/"
}

# It has its directories compiled in, none of which it is to use: not the builder's either, which somebody could make on a Windows host.
build_openssl() {
    CC=gcc-posix CFLAGS=$cflags ./Configure mingw64 --cross-compile-prefix=$host- --prefix=/ProgramData/skep/none --libdir=lib \
        --openssldir=/ProgramData/skep/none no-autoload-config no-shared no-tests no-legacy no-engine no-module no-dso no-comp no-ssl3 no-srp no-psk no-dtls no-sctp no-ct no-cms no-ts no-rfc3779 \
        no-idea no-seed no-camellia no-aria no-bf no-cast no-rc2 no-rc4 no-mdc2 no-rmd160 no-whirlpool no-sm2 no-sm3 no-sm4 no-gost no-blake2 no-afalgeng
    make -j"$jobs" build_libs
    make install_dev DESTDIR="$PWD/made"
    cp -R made/ProgramData/skep/none/. "$prefix/"
}

# The install target builds the DLL as well.
build_libuv() {
    cross_cmake -DLIBUV_BUILD_TESTS=OFF
    cmake --build out -j "$jobs" --target uv_a
    cp out/libuv_a.a "$prefix/lib/libuv.a"
    install_headers . include/uv.h
    install_headers uv include/uv/*.h
}

# With its own clock_gettime it would leave time_now_sec undefined in a static build.
build_nghttp2() {
    cross_cmake -DENABLE_LIB_ONLY=ON -DENABLE_STATIC_LIB=ON -DENABLE_SHARED_LIB=OFF -DENABLE_DOC=OFF -DHAVE_CLOCK_GETTIME=OFF
    cmake --build out -j "$jobs" --target install
}

build_protobufc() {
    cross_configure --disable-protoc --disable-dependency-tracking
    make -j"$jobs" protobuf-c/libprotobuf-c.la
    make install-libLTLIBRARIES install-nobase_includeHEADERS
}

# Its custom flags ask for libssp.
build_cjson() {
    cross_cmake -DENABLE_CUSTOM_COMPILER_FLAGS=OFF -DENABLE_CJSON_TEST=OFF
    cmake --build out -j "$jobs" --target install
}

build_cmocka() {
    cross_cmake -DWITH_STATIC_LIB=ON -DWITH_EXAMPLES=OFF
    cmake --build out -j "$jobs" --target cmocka-static
    find out -name 'libcmocka*.a' ! -name '*.dll.a' -exec cp {} "$prefix/lib/libcmocka.a" \;
    install_headers . include/cmocka.h include/cmocka_p*.h
}

# The one big file is made with the host's compiler and tclsh, and then compiled for Windows as skep uses it.
build_sqlite() {
    ./configure --disable-tcl --disable-readline
    make sqlite3.c
    # shellcheck disable=SC2086 # flags
    $cross_cc $cflags -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_DQS=0 -DSQLITE_THREADSAFE=1 -c sqlite3.c -o sqlite3.o
    $host-ar rcs "$prefix/lib/libsqlite3.a" sqlite3.o
    install_headers . sqlite3.h
}

build_zstd() {
    cd build/cmake
    cross_cmake -DZSTD_BUILD_PROGRAMS=OFF -DZSTD_BUILD_SHARED=OFF -DZSTD_BUILD_STATIC=ON -DZSTD_BUILD_TESTS=OFF -DZSTD_LEGACY_SUPPORT=OFF
    cmake --build out -j "$jobs" --target install
}

build_xz() {
    cross_configure --disable-dependency-tracking --disable-nls --disable-doc --disable-scripts --disable-xz --disable-xzdec --disable-lzmadec \
        --disable-lzmainfo --disable-lzma-links --enable-threads=vista --disable-encoders
    make -j"$jobs" -C src/liblzma install
}

# Debian's patches touch what automake would then want to make anew.
build_libarchive() {
    touch aclocal.m4
    touch configure config.h.in Makefile.in
    CPPFLAGS="-I$prefix/include" LDFLAGS="-L$prefix/lib" cross_configure --disable-dependency-tracking --disable-bsdtar --disable-bsdcpio --disable-bsdcat \
        --without-bz2lib --without-lz4 --without-libb2 --without-cng --without-openssl --without-nettle --without-xml2 --without-expat --without-iconv \
        --with-zlib --with-zstd --with-lzma --disable-acl --disable-xattr
    make -j"$jobs" libarchive.la
    make install-libLTLIBRARIES install-includeHEADERS
}

build_curl() {
    cross_cmake -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DHTTP_ONLY=ON -DCURL_USE_OPENSSL=ON -DOPENSSL_ROOT_DIR="$prefix" -DOPENSSL_USE_STATIC_LIBS=ON \
        -DCURL_USE_LIBSSH2=OFF -DUSE_NGHTTP2=OFF -DUSE_LIBIDN2=OFF -DUSE_WIN32_LDAP=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF -DCURL_ZLIB=ON \
        -DCURL_DISABLE_NTLM=ON -DCURL_WINDOWS_SSPI=OFF -DCURL_DISABLE_ALTSVC=ON -DCURL_DISABLE_HSTS=ON -DCURL_DISABLE_LIBCURL_OPTION=ON \
        -DCURL_DISABLE_OPENSSL_AUTO_LOAD_CONFIG=ON -DCURL_TARGET_WINDOWS_VERSION=0x0A00
    cmake --build out -j "$jobs" --target install
}

build_httpparser() {
    # shellcheck disable=SC2086 # flags
    $cross_cc $cflags -c http_parser.c -o http_parser.o
    $host-ar rcs "$prefix/lib/libhttp_parser.a" http_parser.o
    install_headers . http_parser.h
}

# One text for each that pkg-config reads, since some packages write none for Windows and others forget what a static library needs.
# name, flags for the compiler, flags for the linker
pkgconfig='
libuv|-D_WIN32_WINNT=0x0A00|-luv -lws2_32 -liphlpapi -lpsapi -luserenv -luser32 -ladvapi32
libnghttp2|-DNGHTTP2_STATICLIB|-lnghttp2
libprotobuf-c||-lprotobuf-c
libcjson||-lcjson
cmocka||-lcmocka
sqlite3||-lsqlite3
libarchive|-DLIBARCHIVE_STATIC|-larchive -lz -lzstd -llzma -lbcrypt
openssl||-lssl -lcrypto -lws2_32 -lgdi32 -lcrypt32 -ladvapi32 -luser32
libcurl|-DCURL_STATICLIB|-lcurl -lssl -lcrypto -lz -lws2_32 -lgdi32 -lcrypt32 -ladvapi32 -luser32 -lbcrypt
'
