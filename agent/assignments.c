/* The assigned set: hash tables by id, and the net difference that a message makes. */
#include "agent/assignments.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

typedef Docker__Swarmkit__V1__AssignmentsMessage Message;
typedef Docker__Swarmkit__V1__AssignmentChange Change;
typedef Docker__Swarmkit__V1__Assignment Item;
typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__Secret Secret;
typedef Docker__Swarmkit__V1__Config Config;

#define NOT_IN_MESSAGE SIZE_MAX

struct known_task {
    UT_hash_handle hh;
    size_t updated_index; /* where in changes->tasks_updated, while a message is applied */
    char id[];
};

struct known_secret {
    UT_hash_handle hh; /* by secret->id */
    Secret *secret;
};

struct known_config {
    UT_hash_handle hh; /* by config->id */
    Config *config;
};

struct assignments {
    struct known_task *tasks;
    struct known_secret *secrets;
    struct known_config *configs;
};

/* Secrets. */

static void free_secret(Secret *secret)
{
    if (secret && secret->spec)
        mem_wipe(secret->spec->data.data, secret->spec->data.len);
    docker__swarmkit__v1__secret__free_unpacked(secret, NULL);
}

static void drop_secret(struct assignments *a, struct known_secret *known)
{
    HASH_DEL(a->secrets, known);
    free_secret(known->secret);
    free(known);
}

static struct known_secret *find_secret(const struct assignments *a, const char *id)
{
    struct known_secret *known = NULL;
    HASH_FIND_STR(a->secrets, id, known);
    return known;
}

static void put_secret(struct assignments *a, Secret *secret)
{
    struct known_secret *known = find_secret(a, secret->id);
    if (known)
        drop_secret(a, known);
    known = mem_alloc(sizeof *known);
    known->secret = secret;
    HASH_ADD_KEYPTR(hh, a->secrets, secret->id, strlen(secret->id), known);
}

/* Configs. They are wiped too: a template can carry a secret into one. */

static void free_config(Config *config)
{
    if (config && config->spec)
        mem_wipe(config->spec->data.data, config->spec->data.len);
    docker__swarmkit__v1__config__free_unpacked(config, NULL);
}

static void drop_config(struct assignments *a, struct known_config *known)
{
    HASH_DEL(a->configs, known);
    free_config(known->config);
    free(known);
}

static struct known_config *find_config(const struct assignments *a, const char *id)
{
    struct known_config *known = NULL;
    HASH_FIND_STR(a->configs, id, known);
    return known;
}

static void put_config(struct assignments *a, Config *config)
{
    struct known_config *known = find_config(a, config->id);
    if (known)
        drop_config(a, known);
    known = mem_alloc(sizeof *known);
    known->config = config;
    HASH_ADD_KEYPTR(hh, a->configs, config->id, strlen(config->id), known);
}

static void drop_dependencies(struct assignments *a)
{
    struct known_secret *secret, *next_secret;
    struct known_config *config, *next_config;

    HASH_ITER (hh, a->secrets, secret, next_secret)
        drop_secret(a, secret);
    HASH_ITER (hh, a->configs, config, next_config)
        drop_config(a, config);
}

/* Messages. */

/* A dependency's id may become a file's name: 1 to ID_ASSIGNED_SIZE_CHARS of 0-9 a-z A-Z _ - . and no dot or dash in front. The dot is
 * SwarmKit's own, in the ids of secrets made for one task. */
static bool is_usable_id(const char *id)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.";
    size_t length = id ? strlen(id) : 0;
    return length > 0 && length <= ID_ASSIGNED_SIZE_CHARS && id[0] != '.' && id[0] != '-' && strspn(id, allowed) == length;
}

static const char *item_id(const Item *item)
{
    if (!item)
        return NULL;
    switch (item->item_case) {
    case DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK:
        return item->task->id;
    case DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET:
        return item->secret->id;
    case DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG:
        return item->config->id;
    default:
        return NULL; /* nothing, or a cluster volume: this node offers no CSI plugin and should not be given one */
    }
}

static bool is_usable(const Change *change)
{
    const char *id = item_id(change->assignment);
    if (id && change->assignment->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK)
        return id_is_safe(id);
    return is_usable_id(id);
}

static bool is_of(const Change *change, Docker__Swarmkit__V1__Assignment__ItemCase kind, bool removal)
{
    bool is_removal = change->action == DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__REMOVE;
    return is_usable(change) && change->assignment->item_case == kind && is_removal == removal;
}

static Task *take_task(Change *change)
{
    change->assignment->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM__NOT_SET;
    return steal(&change->assignment->task);
}

static Secret *take_secret(Change *change)
{
    change->assignment->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM__NOT_SET;
    return steal(&change->assignment->secret);
}

static Config *take_config(Change *change)
{
    change->assignment->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM__NOT_SET;
    return steal(&change->assignment->config);
}

void assignments_wipe(Message *message)
{
    for (size_t i = 0; i < message->n_changes; i++) {
        Item *item = message->changes[i]->assignment;
        if (item && item->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET)
            free_secret(take_secret(message->changes[i]));
        else if (item && item->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG)
            free_config(take_config(message->changes[i]));
    }
}

/* Applying: secrets, configs, tasks; of secrets and configs removals first, of tasks updates first. */

static void apply_secrets(struct assignments *a, Message *message)
{
    for (size_t i = 0; i < message->n_changes; i++)
        if (is_of(message->changes[i], DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET, true)) {
            struct known_secret *known = find_secret(a, message->changes[i]->assignment->secret->id);
            if (known)
                drop_secret(a, known);
        }
    for (size_t i = 0; i < message->n_changes; i++)
        if (is_of(message->changes[i], DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET, false))
            put_secret(a, take_secret(message->changes[i]));
}

static void apply_configs(struct assignments *a, Message *message)
{
    for (size_t i = 0; i < message->n_changes; i++)
        if (is_of(message->changes[i], DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG, true)) {
            struct known_config *known = find_config(a, message->changes[i]->assignment->config->id);
            if (known)
                drop_config(a, known);
        }
    for (size_t i = 0; i < message->n_changes; i++)
        if (is_of(message->changes[i], DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG, false))
            put_config(a, take_config(message->changes[i]));
}

static struct known_task *find_task(const struct assignments *a, const char *id)
{
    struct known_task *known = NULL;
    HASH_FIND_STR(a->tasks, id, known);
    return known;
}

static struct known_task *know_task(struct assignments *a, const char *id)
{
    struct known_task *known = find_task(a, id);
    size_t length = strlen(id);

    if (known)
        return known;
    known = mem_alloc(sizeof *known + length + 1);
    memcpy(known->id, id, length + 1);
    known->updated_index = NOT_IN_MESSAGE;
    HASH_ADD_STR(a->tasks, id, known);
    return known;
}

static void update_task(struct assignments *a, Task *task, struct assignment_changes *changes)
{
    struct known_task *known = know_task(a, task->id);

    if (known->updated_index != NOT_IN_MESSAGE) { /* named twice: the later one counts */
        docker__swarmkit__v1__task__free_unpacked(changes->tasks_updated[known->updated_index], NULL);
    } else {
        known->updated_index = changes->updated_count++;
    }
    changes->tasks_updated[known->updated_index] = task;
}

static void remove_task(struct assignments *a, struct known_task *known, struct assignment_changes *changes)
{
    if (known->updated_index != NOT_IN_MESSAGE) {
        docker__swarmkit__v1__task__free_unpacked(changes->tasks_updated[known->updated_index], NULL);
        changes->tasks_updated[known->updated_index] = NULL;
    }
    changes->tasks_removed[changes->removed_count++] = mem_string(known->id);
    HASH_DEL(a->tasks, known);
    free(known);
}

static void remove_named_tasks(struct assignments *a, const Message *message, struct assignment_changes *changes)
{
    for (size_t i = 0; i < message->n_changes; i++)
        if (is_of(message->changes[i], DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK, true)) {
            struct known_task *known = find_task(a, message->changes[i]->assignment->task->id);
            if (known)
                remove_task(a, known, changes);
        }
}

static void remove_unnamed_tasks(struct assignments *a, struct assignment_changes *changes)
{
    struct known_task *known, *next;

    HASH_ITER (hh, a->tasks, known, next)
        if (known->updated_index == NOT_IN_MESSAGE)
            remove_task(a, known, changes);
}

/* Close the holes that removals left, and make the table ready for the next message. */
static void settle(struct assignments *a, struct assignment_changes *changes)
{
    struct known_task *known, *next;
    size_t kept = 0;

    HASH_ITER (hh, a->tasks, known, next)
        known->updated_index = NOT_IN_MESSAGE;
    for (size_t i = 0; i < changes->updated_count; i++)
        if (changes->tasks_updated[i])
            changes->tasks_updated[kept++] = changes->tasks_updated[i];
    changes->updated_count = kept;
}

static void apply_tasks(struct assignments *a, Message *message, struct assignment_changes *changes)
{
    for (size_t i = 0; i < message->n_changes; i++)
        if (is_of(message->changes[i], DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK, false))
            update_task(a, take_task(message->changes[i]), changes);
    if (changes->is_complete)
        remove_unnamed_tasks(a, changes);
    else
        remove_named_tasks(a, message, changes);
    settle(a, changes);
}

/* Counts as if no id were named twice: a message that does name one twice is counted too high, never too low. */
static int check_limits(const struct assignments *a, const Message *message, bool is_complete, struct error *err)
{
    size_t tasks = is_complete ? 0 : HASH_COUNT(a->tasks), dependencies = is_complete ? 0 : HASH_COUNT(a->secrets) + HASH_COUNT(a->configs);

    for (size_t i = 0; i < message->n_changes; i++) {
        const Change *change = message->changes[i];
        if (is_of(change, DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK, false))
            tasks += is_complete || !find_task(a, change->assignment->task->id);
        else if (is_of(change, DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET, false))
            dependencies += is_complete || !find_secret(a, change->assignment->secret->id);
        else if (is_of(change, DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG, false))
            dependencies += is_complete || !find_config(a, change->assignment->config->id);
    }
    if (tasks > TASKS_PER_NODE_COUNT)
        return error_set(err, ERR_LIMIT, "the manager assigns %zu tasks to this node, which takes %d", tasks, TASKS_PER_NODE_COUNT);
    if (dependencies > DEPENDENCIES_PER_NODE_COUNT)
        return error_set(err, ERR_LIMIT, "the manager assigns %zu secrets and configs to this node, which takes %d", dependencies,
                         DEPENDENCIES_PER_NODE_COUNT);
    return 0;
}

static size_t count_skipped(const Message *message)
{
    size_t skipped = 0;

    for (size_t i = 0; i < message->n_changes; i++)
        skipped += !is_usable(message->changes[i]);
    return skipped;
}

int assignments_apply(struct assignments *assignments, Message *message, struct assignment_changes *changes, struct error *err)
{
    bool is_complete = message->type == DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE;
    int result = check_limits(assignments, message, is_complete, err);

    if (result == 0) {
        size_t removed_max = is_complete ? HASH_COUNT(assignments->tasks) : message->n_changes;
        *changes = (struct assignment_changes){.is_complete = is_complete, .skipped_count = count_skipped(message)};
        changes->tasks_updated = mem_array(message->n_changes + 1, sizeof(Task *));
        changes->tasks_removed = mem_array(removed_max + 1, sizeof(char *));
        if (is_complete)
            drop_dependencies(assignments);
        apply_secrets(assignments, message);
        apply_configs(assignments, message);
        apply_tasks(assignments, message, changes);
    }
    assignments_wipe(message);
    return result;
}

void assignment_changes_deinit(struct assignment_changes *changes)
{
    for (size_t i = 0; i < changes->updated_count; i++)
        docker__swarmkit__v1__task__free_unpacked(changes->tasks_updated[i], NULL);
    for (size_t i = 0; i < changes->removed_count; i++)
        free(changes->tasks_removed[i]);
    free((void *)changes->tasks_updated);
    free((void *)changes->tasks_removed);
    *changes = (struct assignment_changes){0};
}

Task *assignment_changes_steal_task(struct assignment_changes *changes, size_t index)
{
    return steal(&changes->tasks_updated[index]);
}

struct assignments *assignments_new(void)
{
    return mem_alloc(sizeof(struct assignments));
}

void assignments_free(struct assignments *assignments)
{
    struct known_task *known, *next;

    if (!assignments)
        return;
    drop_dependencies(assignments);
    HASH_ITER (hh, assignments->tasks, known, next) {
        HASH_DEL(assignments->tasks, known);
        free(known);
    }
    free(assignments);
}

const Secret *assignments_secret(const struct assignments *assignments, const char *task_id, const char *secret_id)
{
    cleanup_free char *own_id = mem_format("%s.%s", secret_id, task_id);
    struct known_secret *known = find_secret(assignments, own_id);

    if (!known)
        known = find_secret(assignments, secret_id);
    return known ? known->secret : NULL;
}

const Config *assignments_config(const struct assignments *assignments, const char *config_id)
{
    struct known_config *known = find_config(assignments, config_id);
    return known ? known->config : NULL;
}

size_t assignments_task_count(const struct assignments *assignments)
{
    return HASH_COUNT(assignments->tasks);
}

size_t assignments_dependency_count(const struct assignments *assignments)
{
    return HASH_COUNT(assignments->secrets) + HASH_COUNT(assignments->configs);
}
