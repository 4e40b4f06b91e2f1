/* api/socket_linux.c – see socket.h. */
#include "api/socket.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

const char *const socket_default_address = "unix:///run/skep.sock";

char *socket_path(const char *address, struct error *err)
{
    static const char scheme[] = "unix://";
    if (text_starts(address, scheme) && address[sizeof scheme - 1] == '/')
        return mem_string(address + sizeof scheme - 1);
    error_set(err, ERR_INVALID, "%s: only unix:///PATH is spoken here", address);
    return NULL;
}

static int probe(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
    close(fd);
    return result;
}

/* bind() through libuv would call a missing directory a lack of permission. */
static int check_directory(const char *path, struct error *err)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    cleanup_free char *dir = mem_string_n(path, slash && slash != path ? (size_t)(slash - path) : 1);
    return slash && stat(dir, &st) < 0 ? error_set_uv(err, -errno, "listen at %s", path) : 0;
}

int socket_claim(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERR_INVALID, "%s: a socket's path has at most %zu characters", path, sizeof address.sun_path - 1);
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? check_directory(path, err) : error_set_uv(err, -errno, "look at %s", path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, ERR_EXISTS, "%s exists and is no socket: remove it or listen elsewhere", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (probe(&address) != -ECONNREFUSED)
        return error_set(err, ERR_EXISTS, "another daemon listens at %s", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set_uv(err, -errno, "remove the old socket %s", path);
    return 0;
}

static int find_group(const char *name, gid_t *gid, struct error *err)
{
    enum { RECORD_SIZE_BYTES = 16384 };
    cleanup_free char *record = mem_alloc(RECORD_SIZE_BYTES);
    struct group group, *found = NULL;
    int code = getgrnam_r(name, &group, record, RECORD_SIZE_BYTES, &found);
    if (code != 0)
        return error_set_uv(err, -code, "look up the group %s", name);
    if (found == NULL)
        return error_set(err, ERR_NOT_FOUND, "there is no group %s", name);
    *gid = group.gr_gid;
    return 0;
}

int socket_protect(const uv_pipe_t *pipe, const char *path, const char *group, struct error *err)
{
    (void)pipe;
    gid_t gid = (gid_t)-1;
    if (group && find_group(group, &gid, err) < 0)
        return err->code;
    if (chmod(path, 0660) < 0)
        return error_set_uv(err, -errno, "set the mode of %s", path);
    if (group && chown(path, (uid_t)-1, gid) < 0)
        return error_set_uv(err, -errno, "give %s to the group %s", path, group);
    return 0;
}
