/* api/socket.h – what a local socket needs from the operating system beyond libuv: that no one else listens at its path, and who may use
 * it. */
#ifndef SKEP_API_SOCKET_H
#define SKEP_API_SOCKET_H

#include "base/error.h"

/* Make @path free for bind(): a socket file that nobody listens at is removed. ERR_EXISTS when someone does, or when it is no socket;
 * ERR_INVALID when the path is too long for a socket. */
int socket_claim(const char *path, struct error *err);

/* Between bind() and listen(), so that nobody connects before: mode 0660, and @group (by name; NULL: as it is). ERR_NOT_FOUND for a group
 * that does not exist, ERR_PERMISSION, ERR_IO. */
int socket_protect(const char *path, const char *group, struct error *err);

#endif
