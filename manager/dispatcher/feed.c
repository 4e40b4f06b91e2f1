/* manager/dispatcher/feed.c – see feed.h. */
#include "manager/dispatcher/feed.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/hash.h"
#include "base/mem.h"
#include "proto/message.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__AssignmentChange Change;

struct dispatcher_feed_need {
    UT_hash_handle hh;
    struct dispatcher_feed_need *prev, *next; /* in unneeded */
    size_t users_count;                       /* tasks */
    uint64_t made;                            /* the message under way has it */
    bool is_told, is_unneeded;
    enum store_kind kind;
    char key[]; /* the kind as a letter, then the id */
};

struct dispatcher_feed_task {
    UT_hash_handle hh;
    struct dispatcher_feed_task *prev, *next; /* in changed */
    struct dispatcher_feed_need **needs;
    uint32_t needs_count;
    bool is_told, is_changed, is_gone;
    char id[];
};

/* --- what tasks need --- */

void dispatcher_task_needs(const Task *task, dispatcher_need_fn *fn, void *ctx)
{
    const Docker__Swarmkit__V1__TaskSpec *spec = task->spec;

    if (spec == NULL)
        return;
    for (size_t i = 0; i < spec->n_resource_references; i++) {
        const Docker__Swarmkit__V1__ResourceReference *reference = spec->resource_references[i];
        if (reference->resource_type == DOCKER__SWARMKIT__V1__RESOURCE_TYPE__SECRET)
            fn(ctx, STORE_SECRET, reference->resource_id);
        else if (reference->resource_type == DOCKER__SWARMKIT__V1__RESOURCE_TYPE__CONFIG)
            fn(ctx, STORE_CONFIG, reference->resource_id);
    }
    if (spec->runtime_case != DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER || spec->container == NULL)
        return;
    for (size_t i = 0; i < spec->container->n_secrets; i++)
        fn(ctx, STORE_SECRET, spec->container->secrets[i]->secret_id);
    for (size_t i = 0; i < spec->container->n_configs; i++)
        fn(ctx, STORE_CONFIG, spec->container->configs[i]->config_id);
}

static void set_unneeded(struct dispatcher_feed *feed, struct dispatcher_feed_need *need, bool is_unneeded)
{
    if (need->is_unneeded == is_unneeded)
        return;
    need->is_unneeded = is_unneeded;
    if (is_unneeded) {
        DL_APPEND(feed->unneeded, need);
        feed->changes_count++;
    } else {
        DL_DELETE(feed->unneeded, need);
        feed->changes_count--;
    }
}

static void free_need(struct dispatcher_feed *feed, struct dispatcher_feed_need *need)
{
    set_unneeded(feed, need, false);
    HASH_DEL(feed->needs, need);
    free(need);
}

static void let_go(struct dispatcher_feed *feed, struct dispatcher_feed_need **needs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct dispatcher_feed_need *need = needs[i];
        if (--need->users_count > 0)
            continue;
        if (need->is_told)
            set_unneeded(feed, need, true);
        else
            free_need(feed, need);
    }
    free(needs);
}

struct collecting {
    struct dispatcher_feed *feed;
    struct dispatcher_feed_need **needs;
    uint32_t count, capacity;
};

static struct dispatcher_feed_need *obtain_need(struct dispatcher_feed *feed, enum store_kind kind, const char *id)
{
    struct dispatcher_feed_need *need;
    size_t length = strlen(id) + 1;
    cleanup_free char *key = mem_format("%c%s", kind == STORE_SECRET ? 's' : 'c', id);

    HASH_FIND(hh, feed->needs, key, length, need);
    if (need)
        return need;
    need = mem_alloc(sizeof *need + length + 1);
    memcpy(need->key, key, length + 1);
    need->kind = kind;
    HASH_ADD_KEYPTR(hh, feed->needs, need->key, length, need);
    return need;
}

static void collect_need(void *ctx, enum store_kind kind, const char *id)
{
    struct collecting *collecting = ctx;
    struct dispatcher_feed_need *need = obtain_need(collecting->feed, kind, id);

    need->users_count++;
    set_unneeded(collecting->feed, need, false);
    if (collecting->count == collecting->capacity) {
        collecting->capacity = collecting->capacity ? 2 * collecting->capacity : 4;
        collecting->needs = mem_resize(collecting->needs, collecting->capacity * sizeof(struct dispatcher_feed_need *));
    }
    collecting->needs[collecting->count++] = need;
}

/* NULL: nothing any more. The new ones are taken before the old ones are let go: what is in both stays. */
static void set_needs(struct dispatcher_feed *feed, struct dispatcher_feed_task *entry, const Task *task)
{
    struct collecting collecting = {.feed = feed};
    struct dispatcher_feed_need **old = entry->needs;
    uint32_t old_count = entry->needs_count;

    if (task)
        dispatcher_task_needs(task, collect_need, &collecting);
    entry->needs = collecting.needs;
    entry->needs_count = collecting.count;
    let_go(feed, old, old_count);
}

/* --- tasks --- */

static void set_changed(struct dispatcher_feed *feed, struct dispatcher_feed_task *entry, bool is_changed)
{
    if (entry->is_changed == is_changed)
        return;
    entry->is_changed = is_changed;
    if (is_changed) {
        DL_APPEND(feed->changed, entry);
        feed->changes_count++;
    } else {
        DL_DELETE(feed->changed, entry);
        feed->changes_count--;
    }
}

static struct dispatcher_feed_task *find_task(const struct dispatcher_feed *feed, const char *id)
{
    struct dispatcher_feed_task *entry;

    HASH_FIND_STR(feed->tasks, id, entry);
    return entry;
}

static void free_task(struct dispatcher_feed *feed, struct dispatcher_feed_task *entry)
{
    set_needs(feed, entry, NULL);
    set_changed(feed, entry, false);
    HASH_DEL(feed->tasks, entry);
    free(entry);
}

static int state_of(const Task *task)
{
    return task->status ? (int)task->status->state : 0;
}

static bool is_equal_for_node(const Task *a, const Task *b)
{
    Task left = *a, right = *b;

    left.meta = right.meta = NULL;
    left.status = right.status = NULL;
    return message_equal(&left.base, &right.base);
}

static void lose_task(struct dispatcher_feed *feed, struct dispatcher_feed_task *entry)
{
    if (!entry->is_told) {
        free_task(feed, entry);
        return;
    }
    entry->is_gone = true;
    set_needs(feed, entry, NULL);
    set_changed(feed, entry, true);
}

static struct dispatcher_feed_task *add_task(struct dispatcher_feed *feed, const char *id)
{
    size_t length = strlen(id);
    struct dispatcher_feed_task *entry = mem_alloc(sizeof *entry + length + 1);

    memcpy(entry->id, id, length);
    HASH_ADD_KEYPTR(hh, feed->tasks, entry->id, length, entry);
    return entry;
}

void dispatcher_feed_put(struct dispatcher_feed *feed, const char *id, const Task *old, const Task *task)
{
    struct dispatcher_feed_task *entry = find_task(feed, id);
    bool is_new = entry == NULL;

    if (task == NULL) {
        if (entry)
            lose_task(feed, entry);
        return;
    }
    if (state_of(task) < DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED)
        return;
    if (is_new)
        entry = add_task(feed, id);
    bool is_same =
        !is_new && !entry->is_gone && old && state_of(task) > DOCKER__SWARMKIT__V1__TASK_STATE__ASSIGNED && is_equal_for_node(old, task);
    entry->is_gone = false;
    if (!is_same)
        set_changed(feed, entry, true);
    if (state_of(task) > DOCKER__SWARMKIT__V1__TASK_STATE__RUNNING)
        set_needs(feed, entry, NULL);
    else if (!is_same)
        set_needs(feed, entry, task);
}

bool dispatcher_feed_has(const struct dispatcher_feed *feed, const char *id)
{
    return find_task(feed, id) != NULL;
}

void dispatcher_feed_each(struct dispatcher_feed *feed, void (*fn)(void *ctx, const char *id), void *ctx)
{
    struct dispatcher_feed_task *entry, *next;

    HASH_ITER (hh, feed->tasks, entry, next)
        fn(ctx, entry->id);
}

void dispatcher_feed_deinit(struct dispatcher_feed *feed)
{
    struct dispatcher_feed_task *entry, *next;
    struct dispatcher_feed_need *need, *next_need;

    HASH_ITER (hh, feed->tasks, entry, next)
        free_task(feed, entry);
    HASH_ITER (hh, feed->needs, need, next_need)
        free_need(feed, need);
}

/* --- messages --- */

static Docker__Swarmkit__V1__Assignment *add_change(struct dispatcher_feed_message *out, bool is_removal)
{
    Change *change = arena_alloc(&out->arena, sizeof *change);
    Docker__Swarmkit__V1__Assignment *assignment = arena_alloc(&out->arena, sizeof *assignment);

    if (out->message.n_changes == out->capacity) {
        out->capacity = out->capacity ? 2 * out->capacity : 16;
        out->message.changes = mem_resize(out->message.changes, out->capacity * sizeof(Change *));
    }
    docker__swarmkit__v1__assignment_change__init(change);
    docker__swarmkit__v1__assignment__init(assignment);
    change->assignment = assignment;
    change->action = is_removal ? DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__REMOVE
                                : DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__UPDATE;
    out->message.changes[out->message.n_changes++] = change;
    return assignment;
}

static void set_item(Docker__Swarmkit__V1__Assignment *assignment, enum store_kind kind, const ProtobufCMessage *object)
{
    if (kind == STORE_TASK) {
        assignment->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK;
        assignment->task = (void *)(uintptr_t)object;
    } else if (kind == STORE_SECRET) {
        assignment->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET;
        assignment->secret = (void *)(uintptr_t)object;
    } else {
        assignment->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG;
        assignment->config = (void *)(uintptr_t)object;
    }
}

static void tell_update(struct dispatcher_feed_message *out, const struct store_object *object)
{
    set_item(add_change(out, false), object->kind, object->message);
    out->size_bytes += object->size_bytes;
}

/* Nothing but the id. */
static void tell_removal(struct dispatcher_feed_message *out, enum store_kind kind, const char *id)
{
    const struct store_kind_info *info = store_kind_info(kind);
    ProtobufCMessage *empty = arena_alloc(&out->arena, info->descriptor->sizeof_message);

    protobuf_c_message_init(info->descriptor, empty);
    *(char **)(void *)((uint8_t *)empty + info->id_offset) = arena_string(&out->arena, id);
    set_item(add_change(out, true), kind, empty);
}

/* One kept by a driver is not in the store, and this manager has no drivers. */
static bool is_deliverable(const struct store_object *object)
{
    if (object == NULL || object->kind != STORE_SECRET)
        return object != NULL;
    const Docker__Swarmkit__V1__Secret *secret = (const void *)object->message;
    return secret->spec == NULL || secret->spec->driver == NULL;
}

static void tell_need(struct dispatcher_feed_message *out, const struct store *store, struct dispatcher_feed_need *need, bool is_complete)
{
    const struct store_object *object = store_get_object(store, need->kind, need->key + 1);
    uint64_t made = (uint64_t)(uintptr_t)out; /* a need is told once in a message */

    if (need->made == made || (need->is_told && !is_complete) || !is_deliverable(object))
        return;
    need->made = made;
    tell_update(out, object);
    out->needs = mem_resize(out->needs, (out->needs_count + 1) * sizeof(struct dispatcher_feed_need *));
    out->needs[out->needs_count++] = need;
}

static void tell_task(struct dispatcher_feed_message *out, const struct store *store, struct dispatcher_feed_task *entry, bool is_complete)
{
    const struct store_object *object = entry->is_gone ? NULL : store_get_object(store, STORE_TASK, entry->id);

    for (uint32_t i = 0; object && i < entry->needs_count; i++)
        tell_need(out, store, entry->needs[i], is_complete);
    if (object)
        tell_update(out, object);
    else if (!is_complete)
        tell_removal(out, STORE_TASK, entry->id);
    out->tasks[out->tasks_count++] = entry;
}

static void make_complete(struct dispatcher_feed *feed, const struct store *store, struct dispatcher_feed_message *out)
{
    struct dispatcher_feed_task *entry, *next;

    out->tasks = mem_array(HASH_COUNT(feed->tasks) + 1, sizeof(struct dispatcher_feed_task *));
    HASH_ITER (hh, feed->tasks, entry, next)
        tell_task(out, store, entry, true);
}

static void make_incremental(struct dispatcher_feed *feed, const struct store *store, struct dispatcher_feed_message *out)
{
    struct dispatcher_feed_need *need;
    struct dispatcher_feed_task *entry;

    out->tasks = mem_array(DISPATCHER_CHANGES_COUNT, sizeof(struct dispatcher_feed_task *));
    DL_FOREACH (feed->unneeded, need) {
        if (out->told_count == DISPATCHER_CHANGES_COUNT)
            return;
        tell_removal(out, need->kind, need->key + 1);
        out->told_count++;
    }
    DL_FOREACH (feed->changed, entry) {
        if (out->told_count == DISPATCHER_CHANGES_COUNT || out->size_bytes > DISPATCHER_MESSAGE_SIZE_BYTES)
            return;
        tell_task(out, store, entry, false);
        out->told_count++;
    }
}

void dispatcher_feed_make(struct dispatcher_feed *feed, const struct store *store, bool is_complete, struct dispatcher_feed_message *out)
{
    *out = (struct dispatcher_feed_message){.tasks_count = 0};
    docker__swarmkit__v1__assignments_message__init(&out->message);
    out->message.type = is_complete ? DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE
                                    : DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__INCREMENTAL;
    if (is_complete)
        make_complete(feed, store, out);
    else
        make_incremental(feed, store, out);
}

static void needs_told(struct dispatcher_feed *feed, const struct dispatcher_feed_message *message)
{
    bool is_complete = message->message.type == DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE;
    size_t removed = is_complete ? SIZE_MAX : message->message.n_changes - message->tasks_count - message->needs_count;

    for (; feed->unneeded && removed > 0; removed--)
        free_need(feed, feed->unneeded);
    for (size_t i = 0; i < message->needs_count; i++) {
        message->needs[i]->is_told = true;
        message->needs[i]->made = 0;
    }
}

void dispatcher_feed_sent(struct dispatcher_feed *feed, const struct dispatcher_feed_message *message)
{
    needs_told(feed, message);
    for (size_t i = 0; i < message->tasks_count; i++) {
        struct dispatcher_feed_task *entry = message->tasks[i];
        set_changed(feed, entry, false);
        entry->is_told = true;
        if (entry->is_gone)
            free_task(feed, entry);
    }
}

void dispatcher_feed_message_deinit(struct dispatcher_feed_message *message)
{
    for (size_t i = 0; i < message->needs_count; i++)
        message->needs[i]->made = 0;
    free(message->message.changes);
    free(message->tasks);
    free(message->needs);
    arena_deinit(&message->arena);
}
