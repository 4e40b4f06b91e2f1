/* tests/unit/manager/store/fixture.h – a log in memory under stores: what is proposed waits until the test commits it or says that it
 * failed.
 *
 *     struct world world;
 *     world_begin(&world);
 *     do_create(&world, node("n1", "host"));      // queued, run, committed
 *     world_end(&world); */
#ifndef SKEP_TESTS_UNIT_MANAGER_STORE_FIXTURE_H
#define SKEP_TESTS_UNIT_MANAGER_STORE_FIXTURE_H

#include <stdlib.h>

#include "base/mem.h"
#include "manager/store/store.h"
#include "proto/message.h"
#include "tests/unit/test.h"

struct world {
    struct store *store, *follower;
    struct random_seeded seed;
    int64_t wall_ns;
    uint64_t index; /* of the last entry */
    bool is_woken;
    int refuses; /* a code that propose() answers with */
    struct buf entry;
    void (*fn)(void *ctx, uint64_t index, const struct error *err);
    void *ctx;
    int entries_count;
};

static inline int world_propose(void *self, struct bytes entry, void (*fn)(void *ctx, uint64_t index, const struct error *err), void *ctx,
                                struct error *err)
{
    struct world *world = self;
    if (world->refuses)
        return error_set(err, world->refuses, "no leader");
    assert_null(world->fn); /* one at a time */
    buf_append(&world->entry, entry.data, entry.size);
    world->fn = fn;
    world->ctx = ctx;
    return 0;
}

static inline uint64_t world_version(void *self)
{
    return ((struct world *)self)->index;
}

static inline void world_wake(void *self)
{
    ((struct world *)self)->is_woken = true;
}

static inline int64_t world_wall(void *self)
{
    return ((struct world *)self)->wall_ns;
}

static inline struct store *world_store(struct world *world, size_t history_count)
{
    return store_new(&(struct store_options){.log = {world_propose, world_version, world_wake, world},
                                             .clock = {.wall_ns = world_wall, .self = world},
                                             .random = random_from_seeded(&world->seed),
                                             .member = 7,
                                             .history_count = history_count,
                                             .entry_actions = STORE_ACTIONS_COUNT}); /* several entries with few objects */
}

static inline void world_begin_with(struct world *world, size_t history_count)
{
    *world = (struct world){.wall_ns = INT64_C(1790000000000000000), .index = 10};
    random_seeded_init(&world->seed, 1);
    world->store = world_store(world, history_count);
    world->follower = world_store(world, history_count);
}

static inline void world_begin(struct world *world)
{
    world_begin_with(world, 0);
}

static inline void world_run(struct world *world)
{
    world->is_woken = false;
    store_run(world->store);
}

/* What is proposed is committed everywhere, and its writers are told. */
static inline void world_commit(struct world *world)
{
    void (*fn)(void *ctx, uint64_t index, const struct error *err) = world->fn;
    if (!fn)
        return;
    world->index++;
    world->entries_count++;
    assert_ok(store_apply(world->store, world->index, buf_bytes(&world->entry), err));
    assert_ok(store_apply(world->follower, world->index, buf_bytes(&world->entry), err));
    buf_clear(&world->entry);
    world->fn = NULL;
    fn(world->ctx, world->index, NULL);
}

/* What is proposed is as good as lost. */
static inline void world_lose(struct world *world, int code)
{
    void (*fn)(void *ctx, uint64_t index, const struct error *err) = world->fn;
    struct error err = {.code = code, .message = "leadership was lost"};
    if (!fn)
        return;
    buf_clear(&world->entry);
    world->fn = NULL;
    fn(world->ctx, 0, &err);
}

static inline void world_settle(struct world *world)
{
    while (world->is_woken || world->fn) {
        world_run(world);
        world_commit(world);
    }
}

static inline void world_end(struct world *world)
{
    world_settle(world);
    store_free(world->store);
    store_free(world->follower);
    buf_deinit(&world->entry);
}

/* --- writers: one change each --- */

enum change_kind { CREATE, UPDATE, REMOVE, NOTHING };

struct write_of {
    enum change_kind change;
    ProtobufCMessage *message;
    enum store_kind kind; /* of a removal */
    const char *id;
    bool fails_after; /* does it, and then fails */
    int calls, done;
    struct error err;
};

static inline int write_of_fn(struct store_tx *tx, void *ctx, struct error *err)
{
    struct write_of *write = ctx;
    int failed = 0;
    write->calls++;
    switch (write->change) {
    case CREATE:
        failed = store_tx_create(tx, write->message, err);
        break;
    case UPDATE:
        failed = store_tx_update(tx, write->message, err);
        break;
    case REMOVE:
        failed = store_tx_remove(tx, write->kind, write->id, err);
        break;
    case NOTHING:
        break;
    }
    if (failed == 0 && write->fails_after)
        failed = error_set(err, ERR_INVALID, "the writer thinks better of it");
    return failed;
}

static inline void write_of_done(void *ctx, const struct error *err)
{
    struct write_of *write = ctx;
    write->done++;
    if (err)
        write->err = *err;
}

static inline void ask(struct world *world, struct write_of *write)
{
    store_update(world->store, write_of_fn, write_of_done, write);
    assert_int_equal(write->calls, 0); /* never inside */
}

static inline int do_write(struct world *world, enum change_kind change, ProtobufCMessage *message, enum store_kind kind, const char *id,
                           struct error *err)
{
    struct write_of write = {.change = change, .message = message, .kind = kind, .id = id};
    ask(world, &write);
    world_settle(world);
    assert_int_equal(write.done, 1);
    if (write.err.code != 0)
        *err = write.err;
    return write.err.code;
}

#define do_create(world, message)  assert_ok(do_write(world, CREATE, &(message)->base, STORE_NODE, NULL, err))
#define do_update(world, message)  assert_ok(do_write(world, UPDATE, &(message)->base, STORE_NODE, NULL, err))
#define do_remove(world, kind, id) assert_ok(do_write(world, REMOVE, NULL, kind, id, err))

/* --- objects, each with all that it points to; good until the next call of the same function --- */

static inline Docker__Swarmkit__V1__Node *node(const char *id, const char *hostname)
{
    static Docker__Swarmkit__V1__Node node;
    static Docker__Swarmkit__V1__NodeSpec spec;
    static Docker__Swarmkit__V1__NodeDescription description;
    docker__swarmkit__v1__node__init(&node);
    docker__swarmkit__v1__node_spec__init(&spec);
    docker__swarmkit__v1__node_description__init(&description);
    node.id = (char *)(uintptr_t)id;
    node.spec = &spec;
    node.description = &description;
    description.hostname = (char *)(uintptr_t)hostname;
    return &node;
}

static inline Docker__Swarmkit__V1__Service *service(const char *id, const char *name)
{
    static Docker__Swarmkit__V1__Service service;
    static Docker__Swarmkit__V1__ServiceSpec spec;
    static Docker__Swarmkit__V1__Annotations annotations;
    docker__swarmkit__v1__service__init(&service);
    docker__swarmkit__v1__service_spec__init(&spec);
    docker__swarmkit__v1__annotations__init(&annotations);
    service.id = (char *)(uintptr_t)id;
    service.spec = &spec;
    spec.annotations = &annotations;
    annotations.name = (char *)(uintptr_t)name;
    return &service;
}

static inline Docker__Swarmkit__V1__Task *task(const char *id, const char *service_id, uint64_t slot, const char *node_id, int desired)
{
    static Docker__Swarmkit__V1__Task task;
    static Docker__Swarmkit__V1__TaskStatus status;
    static Docker__Swarmkit__V1__TaskSpec spec;
    docker__swarmkit__v1__task__init(&task);
    docker__swarmkit__v1__task_status__init(&status);
    docker__swarmkit__v1__task_spec__init(&spec);
    task.id = (char *)(uintptr_t)id;
    task.service_id = (char *)(uintptr_t)service_id;
    task.node_id = (char *)(uintptr_t)node_id;
    task.slot = slot;
    task.desired_state = (Docker__Swarmkit__V1__TaskState)desired;
    task.status = &status;
    task.spec = &spec;
    return &task;
}

/* A stored object with its version, ready to be changed and given back: shallow, borrowed. */
#define copy_of(store, lower, id) (*store_##lower(store, id))

static inline size_t find_all(const struct store *store, enum store_kind kind, enum store_by by, const char *key, char *ids, size_t size)
{
    struct store_cursor cursor;
    const ProtobufCMessage *message;
    size_t count = 0;
    if (size > 0)
        ids[0] = 0;
    store_find(store, kind, by, key, &cursor);
    for (; (message = store_next(&cursor)) != NULL; count++)
        if (size > 0) {
            size_t used = strlen(ids);
            snprintf(ids + used, size - used, "%s%s", used ? " " : "", store_message_id(kind, message));
        }
    return count;
}

#endif
