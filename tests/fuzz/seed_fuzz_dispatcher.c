/* tests/fuzz/seed_fuzz_dispatcher.c – writes the first inputs of fuzz_dispatcher: `seed_fuzz_dispatcher CORPUS_DIRECTORY`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

static void add(struct buf *out, uint8_t kind, const ProtobufCMessage *message)
{
    cleanup_buf struct buf packed = {0};
    if (message)
        message_pack(message, &packed);
    buf_append(out, (uint8_t[]){kind, (uint8_t)packed.size, (uint8_t)(packed.size >> 8)}, 3);
    buf_append(out, packed.data, packed.size);
}

static void put(const char *corpus, const char *name, struct buf *content)
{
    cleanup_free char *dir = mem_format("%s/dispatcher", corpus), *path = mem_format("%s/%s", dir, name);
    struct error err;
    if (file_make_dirs(dir, 0755, &err) < 0 || file_write_volatile(path, buf_bytes(content), 0644, &err) < 0) {
        fprintf(stderr, "seed_fuzz_dispatcher: %s\n", err.message);
        exit(1);
    }
    buf_deinit(content);
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

int main(int argc, char **argv)
{
    struct buf out = {0};
    Docker__Swarmkit__V1__SessionRequest session = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate update =
        DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate *updates[] = {&update};
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__ContainerStatus container = DOCKER__SWARMKIT__V1__CONTAINER_STATUS__INIT;

    if (argc != 2) {
        fprintf(stderr, "usage: seed_fuzz_dispatcher CORPUS_DIRECTORY\n");
        return 64;
    }
    description.hostname = text("host");
    session.description = &description;
    session.session_id = text("before");
    add(&out, 0, &session.base);
    add(&out, 0, &session.base);
    add(&out, 6, NULL);
    add(&out, 8, NULL);
    put(argv[1], "registers_twice", &out);

    status.state = DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING;
    status.message = text("started");
    status.runtime_status_case = DOCKER__SWARMKIT__V1__TASK_STATUS__RUNTIME_STATUS_CONTAINER;
    status.container = &container;
    container.container_id = text("c1");
    update.task_id = text("t1");
    update.status = &status;
    request.updates = updates;
    request.n_updates = 1;
    add(&out, 2, &request.base);
    add(&out, 2 | 1, &request.base);
    status.state = DOCKER__SWARMKIT__V1__TASK_STATE__STARTING;
    add(&out, 2, &request.base);
    add(&out, 4, &request.base);
    put(argv[1], "reports", &out);

    add(&out, 8, NULL);
    buf_append(&out, (uint8_t[]){10, 20, 0}, 3);
    buf_append(&out, (uint8_t[20]){0}, 20);
    add(&out, 0, &session.base);
    add(&out, 2, &request.base);
    put(argv[1], "is_lost_and_returns", &out);
    return 0;
}
