/* daemon/supervisor_linux.c – see supervisor.h: sd_notify(3)'s datagram, and signals. */
#include "daemon/supervisor.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

int supervisor_main(int argc, char **argv, int (*run)(int argc, char **argv))
{
    return run(argc, argv);
}

/* --- telling --- */

static void notify(const char *line)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (*path != '/' && *path != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (*path == '@')
        address.sun_path[0] = '\0';
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0)
        return;
    ssize_t sent = sendto(socket_fd, line, strlen(line), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    (void)sent; /* a supervisor that went away is its own problem */
    close(socket_fd);
}

void supervisor_tell(enum supervisor_state state)
{
    static const char *const lines[] = {
        [SUPERVISOR_READY] = "READY=1", [SUPERVISOR_RELOADING] = "RELOADING=1", [SUPERVISOR_STOPPING] = "STOPPING=1"};
    notify(lines[state]);
}

/* --- being asked --- */

enum { SIGNALS_COUNT = 3 };

static const struct {
    int number;
    const char *name;
    enum supervisor_request request;
} signals[SIGNALS_COUNT] = {
    {SIGINT, "SIGINT", SUPERVISOR_STOP}, {SIGTERM, "SIGTERM", SUPERVISOR_STOP}, {SIGHUP, "SIGHUP", SUPERVISOR_RELOAD}};

struct supervisor_watch {
    uv_signal_t handles[SIGNALS_COUNT];
    unsigned open_count;
    supervisor_request_cb on_request;
    void *ctx;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor_watch *watch = handle->data;
    size_t at = (size_t)(handle - watch->handles);
    (void)number;
    watch->on_request(watch->ctx, signals[at].request, signals[at].name);
}

struct supervisor_watch *supervisor_watch(uv_loop_t *loop, supervisor_request_cb on_request, void *ctx)
{
    struct supervisor_watch *watch = mem_alloc(sizeof *watch);
    *watch = (struct supervisor_watch){.open_count = SIGNALS_COUNT, .on_request = on_request, .ctx = ctx};
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        uv_signal_init(loop, &watch->handles[i]);
        watch->handles[i].data = watch;
        uv_signal_start(&watch->handles[i], on_signal, signals[i].number);
    }
    return watch;
}

static void closed(uv_handle_t *handle)
{
    struct supervisor_watch *watch = handle->data;
    if (--watch->open_count == 0)
        free(watch);
}

void supervisor_unwatch(struct supervisor_watch *watch)
{
    for (size_t i = 0; watch && i < SIGNALS_COUNT; i++)
        uv_close((uv_handle_t *)&watch->handles[i], closed);
}
