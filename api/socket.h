/* api/socket.h – what a local socket needs from the operating system beyond libuv: how its address is written, that no one else listens at
 * its path, and who may use it. On Windows it is a named pipe. */
#ifndef SKEP_API_SOCKET_H
#define SKEP_API_SOCKET_H

#include <uv.h>

#include "base/error.h"

/* "unix:///run/skep.sock"; on Windows "npipe:////./pipe/skep". */
extern const char *const socket_default_address;

/* For uv_pipe_bind() and uv_pipe_connect(): the path that @address names; the caller's to free. NULL, ERR_INVALID: this system speaks
 * another form. */
char *socket_path(const char *address, struct error *err);

/* Make @path free for bind(): a socket file that nobody listens at is removed. ERR_EXISTS when someone does, or when it is no socket;
 * ERR_INVALID when the path is too long for a socket. */
int socket_claim(const char *path, struct error *err);

/* Between bind() and listen(), so that nobody connects before: for the administrator and @group (by name; NULL: nobody else). ERR_NOT_FOUND
 * for a group that does not exist, ERR_PERMISSION, ERR_IO. */
int socket_protect(const uv_pipe_t *pipe, const char *path, const char *group, struct error *err);

#endif
