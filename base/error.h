/* base/error.h – the one error contract of the tree.
 *
 * A function that can fail returns int: 0, or a negative code from ERROR_CODES; its last argument is a struct error. On success the struct
 * is untouched; on failure it holds the code and a message a person can act on. A code maps once, here, to a gRPC status, an HTTP status
 * and an exit code (the exit codes are those of sysexits(3), which systemd knows by name). */
#ifndef SKEP_BASE_ERROR_H
#define SKEP_BASE_ERROR_H

#include <stdarg.h>

#include "base/limits.h"

#define ERROR_CODES(X)                                                                                                                     \
    /*  name          value gRPC HTTP exit  what it means */                                                                               \
    X(INVALID, -1, 3, 400, 64, "the request or its arguments are not well formed")                                                         \
    X(TOKEN, -2, 3, 400, 65, "the join token is malformed or not accepted")                                                                \
    X(NOT_FOUND, -3, 5, 404, 66, "there is no such thing")                                                                                 \
    X(EXISTS, -4, 6, 409, 73, "it exists already")                                                                                         \
    X(PRECONDITION, -5, 9, 409, 70, "not possible in the present state")                                                                   \
    X(PERMISSION, -6, 7, 403, 77, "not permitted")                                                                                         \
    X(TRUST, -7, 16, 401, 77, "the peer is not who it should be")                                                                          \
    X(DEADLINE, -8, 4, 504, 75, "no answer in time")                                                                                       \
    X(UNAVAILABLE, -9, 14, 503, 69, "the peer cannot be reached")                                                                          \
    X(CANCELED, -10, 1, 499, 75, "given up on request")                                                                                    \
    X(LIMIT, -11, 8, 413, 65, "beyond a limit")                                                                                            \
    X(IO, -12, 13, 500, 74, "a file or device failed")                                                                                     \
    X(NO_SPACE, -13, 8, 507, 74, "no space left")                                                                                          \
    X(CORRUPT, -14, 15, 500, 65, "stored or received data is damaged")                                                                     \
    X(UNSUPPORTED, -15, 12, 501, 69, "not supported here")                                                                                 \
    X(PEER, -16, 2, 502, 76, "the peer answered with an error")                                                                            \
    X(VERSION, -17, 9, 409, 78, "made by another version")                                                                                 \
    X(AGAIN, -18, 14, 503, 75, "busy; try again")                                                                                          \
    X(INTERNAL, -19, 13, 500, 70, "a bug of ours")                                                                                         \
    X(ABORTED, -20, 10, 503, 75, "not now; ask again")                                                                                     \
    X(UNAUTHENTICATED, -21, 16, 401, 77, "the peer wants to know who asks")

enum error_code {
#define X(name, value, grpc, http, exit_code, help) ERR_##name = (value),
    ERROR_CODES(X)
#undef X
};

/* @code is 0 while there is no error. The message is always terminated; a longer one is cut with "…". */
struct error {
    int code;
    char message[ERROR_MESSAGE_SIZE_BYTES];
};

/* Fill @err and return @code, so that `return error_set(err, ERR_INVALID, "…")` reads well. @err may be NULL. */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));
int error_set_v(struct error *err, int code, const char *format, va_list args) __attribute__((format(SKEP_PRINTF, 3, 0)));

/* Put "context: " in front of the message and return the code that is there already. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));

/* As error_set, with the code that fits a negative libuv/errno value and its text appended: "open /x: no such file or directory". */
int error_set_uv(struct error *err, int uv_code, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));

#ifdef __clang_analyzer__ /* which cannot see into error.c that what these return is negative */
#define error_set(err, code, ...)       ((void)(error_set)(err, code, __VA_ARGS__), (code))
#define error_wrap(err, ...)            ((void)(error_wrap)(err, __VA_ARGS__), ERR_INTERNAL)
#define error_set_uv(err, uv_code, ...) ((void)(error_set_uv)(err, uv_code, __VA_ARGS__), ERR_INTERNAL)
#endif

const char *error_name(int code);      /* "ERR_INVALID"; "ERR_UNKNOWN" for a code that is not in the list */
int error_from_name(const char *name); /* 0 for what is no name of a code; @name may be NULL */
const char *error_help(int code);      /* one line on what the code means */
int error_grpc_status(int code);       /* 0 for 0, 2 (unknown) for a code not in the list */
int error_http_status(int code);       /* 200 for 0, 500 for a code not in the list */
int error_exit_code(int code);         /* 0 for 0, 70 for a code not in the list */
int error_from_grpc(int grpc_status);  /* the code nearest to a status received from a peer; 0 for 0 */

#endif
