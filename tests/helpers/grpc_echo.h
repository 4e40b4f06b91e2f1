/* tests/helpers/grpc_echo.h – the service that both stacks of the gRPC interop test know: interop/grpc_js/echo.proto says the same.
 *
 * Its one message has bytes as field 1, which is what google.protobuf.BytesValue has. */
#ifndef SKEP_TESTS_HELPERS_GRPC_ECHO_H
#define SKEP_TESTS_HELPERS_GRPC_ECHO_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/grpc/grpc.h"

typedef Google__Protobuf__BytesValue Payload;

#define ECHO_METHODS(X)                                                                                                                    \
    X(Unary, UNARY)        /* the same bytes */                                                                                            \
    X(Fail, UNARY)         /* "7 some words": ends with that status */                                                                     \
    X(Whoami, UNARY)       /* the caller's CN|OU,…|O|x-echo */                                                                           \
    X(Hang, UNARY)         /* no answer */                                                                                                 \
    X(Down, SERVER_STREAM) /* "5 100": five messages of 100 bytes */                                                                       \
    X(Up, CLIENT_STREAM)   /* "count bytes" */                                                                                             \
    X(Both, BOTH_STREAM)   /* each message back */

enum echo_id {
#define X(name, streams) ECHO_##name,
    ECHO_METHODS(X)
#undef X
        ECHO_COUNT
};

static const struct method echo_methods[ECHO_COUNT] = {
#define X(name, streams)                                                                                                                   \
    {"/skep.test.Echo/" #name, &google__protobuf__bytes_value__descriptor, &google__protobuf__bytes_value__descriptor, METHOD_##streams,   \
     METHOD_ANYONE},
    ECHO_METHODS(X)
#undef X
};

static inline Payload payload(const void *data, size_t size)
{
    Payload message = GOOGLE__PROTOBUF__BYTES_VALUE__INIT;
    message.value = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
    return message;
}

/* CERT, KEY and CA are files; a name of "-" means none. */
static inline struct tls_credentials *echo_credentials(const char *cert, const char *key, const char *ca)
{
    static struct clock clock;
    const char *paths[3] = {cert, key, ca};
    struct buf pem[3] = {{0}};
    struct error err = {0};
    clock = clock_system();
    struct tls_credentials *credentials = tls_credentials_new(&clock);
    for (int i = 0; i < 3; i++)
        if (strcmp(paths[i], "-") != 0 && file_read(paths[i], 64 * KIB, &pem[i], &err) < 0)
            goto failed;
    if (tls_credentials_set(credentials, buf_bytes(&pem[0]), buf_bytes(&pem[1]), buf_bytes(&pem[2]), &err) < 0)
        goto failed;
    for (int i = 0; i < 3; i++)
        buf_deinit(&pem[i]);
    return credentials;
failed:
    fprintf(stderr, "%s\n", err.message);
    exit(error_exit_code(err.code));
}

#endif
