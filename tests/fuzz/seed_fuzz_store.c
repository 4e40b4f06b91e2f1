/* tests/fuzz/seed_fuzz_store.c – writes the first inputs of fuzz_store_entry and fuzz_store_image: `seed_fuzz_store CORPUS_DIRECTORY`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/message.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "proto/swarmkit/snapshot.pb-c.h"

static const char *corpus;

static void put(const char *target, const char *name, const struct buf *content)
{
    cleanup_free char *dir = mem_format("%s/%s", corpus, target), *path = mem_format("%s/%s", dir, name);
    struct error err;
    if (file_make_dirs(dir, 0755, &err) < 0 || file_write_volatile(path, buf_bytes(content), 0644, &err) < 0) {
        fprintf(stderr, "seed_fuzz_store: %s\n", err.message);
        exit(1);
    }
}

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void add_entry(struct buf *out, const Docker__Swarmkit__V1__InternalRaftRequest *request)
{
    cleanup_buf struct buf packed = {0};
    message_pack(&request->base, &packed);
    buf_append(out, (uint8_t[]){(uint8_t)packed.size, (uint8_t)(packed.size >> 8)}, 2);
    buf_append(out, packed.data, packed.size);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seed_fuzz_store CORPUS_DIRECTORY\n");
        return 64;
    }
    corpus = argv[1];
    struct buf out = {0};
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__ServiceSpec spec = DOCKER__SWARMKIT__V1__SERVICE_SPEC__INIT;
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT, *services[] = {&service};
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Docker__Swarmkit__V1__Task task = DOCKER__SWARMKIT__V1__TASK__INIT, *tasks[] = {&task};
    annotations.name = text("web");
    spec.annotations = &annotations;
    service.id = text("s1");
    service.spec = &spec;
    task.id = text("t1");
    task.service_id = text("s1");
    task.node_id = text("n1");
    task.status = &status;

    Docker__Swarmkit__V1__StoreAction actions[2] = {DOCKER__SWARMKIT__V1__STORE_ACTION__INIT, DOCKER__SWARMKIT__V1__STORE_ACTION__INIT};
    Docker__Swarmkit__V1__StoreAction *list[] = {&actions[0], &actions[1]};
    Docker__Swarmkit__V1__InternalRaftRequest request = DOCKER__SWARMKIT__V1__INTERNAL_RAFT_REQUEST__INIT;
    request.id = 1;
    request.action = list;
    request.n_action = 2;
    actions[0].action = actions[1].action = DOCKER__SWARMKIT__V1__STORE_ACTION_KIND__STORE_ACTION_CREATE;
    actions[0].target_case = DOCKER__SWARMKIT__V1__STORE_ACTION__TARGET_SERVICE;
    actions[0].service = &service;
    actions[1].target_case = DOCKER__SWARMKIT__V1__STORE_ACTION__TARGET_TASK;
    actions[1].task = &task;
    add_entry(&out, &request);
    actions[0].action = DOCKER__SWARMKIT__V1__STORE_ACTION_KIND__STORE_ACTION_UPDATE;
    actions[1].action = DOCKER__SWARMKIT__V1__STORE_ACTION_KIND__STORE_ACTION_REMOVE;
    task.slot = 2;
    add_entry(&out, &request);
    put("store_entry", "create_update_remove", &out);

    Docker__Swarmkit__V1__StoreSnapshot store = DOCKER__SWARMKIT__V1__STORE_SNAPSHOT__INIT;
    Docker__Swarmkit__V1__ClusterSnapshot membership = DOCKER__SWARMKIT__V1__CLUSTER_SNAPSHOT__INIT;
    Docker__Swarmkit__V1__Snapshot snapshot = DOCKER__SWARMKIT__V1__SNAPSHOT__INIT;
    store.services = services;
    store.n_services = 1;
    store.tasks = tasks;
    store.n_tasks = 1;
    snapshot.store = &store;
    snapshot.membership = &membership;
    buf_clear(&out);
    buf_append(&out, "\7", 1);
    message_pack(&snapshot.base, &out);
    put("store_image", "two_objects", &out);
    buf_deinit(&out);
    return 0;
}
