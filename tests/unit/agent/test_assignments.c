/* tests/unit/agent/test_assignments.c – the assigned set, message by message. */
#include "agent/assignments.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/random.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "tests/unit/test.h"

#define UPDATE DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__UPDATE
#define REMOVE DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__REMOVE

/* A message under construction. */
struct draft {
    struct arena arena;
    Docker__Swarmkit__V1__AssignmentsMessage message;
    Docker__Swarmkit__V1__AssignmentChange **changes;
};

static void draft_begin(struct draft *d, bool is_complete, size_t room)
{
    memset(d, 0, sizeof *d);
    docker__swarmkit__v1__assignments_message__init(&d->message);
    d->message.type = is_complete ? DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE
                                  : DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__INCREMENTAL;
    d->message.changes = d->changes = arena_alloc(&d->arena, (room + 1) * sizeof *d->changes);
}

static Docker__Swarmkit__V1__Assignment *draft_add(struct draft *d, int action)
{
    Docker__Swarmkit__V1__AssignmentChange *change = arena_alloc(&d->arena, sizeof *change);
    docker__swarmkit__v1__assignment_change__init(change);
    change->action = (Docker__Swarmkit__V1__AssignmentChange__AssignmentAction)action;
    change->assignment = arena_alloc(&d->arena, sizeof *change->assignment);
    docker__swarmkit__v1__assignment__init(change->assignment);
    d->changes[d->message.n_changes++] = change;
    return change->assignment;
}

static void add_task(struct draft *d, int action, const char *id, int desired)
{
    Docker__Swarmkit__V1__Assignment *item = draft_add(d, action);
    item->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK;
    item->task = arena_alloc(&d->arena, sizeof *item->task);
    docker__swarmkit__v1__task__init(item->task);
    item->task->id = arena_string(&d->arena, id);
    item->task->desired_state = (Docker__Swarmkit__V1__TaskState)desired;
}

static void add_secret(struct draft *d, int action, const char *id, const char *data)
{
    Docker__Swarmkit__V1__Assignment *item = draft_add(d, action);
    item->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET;
    item->secret = arena_alloc(&d->arena, sizeof *item->secret);
    docker__swarmkit__v1__secret__init(item->secret);
    item->secret->id = arena_string(&d->arena, id);
    if (data) {
        item->secret->spec = arena_alloc(&d->arena, sizeof *item->secret->spec);
        docker__swarmkit__v1__secret_spec__init(item->secret->spec);
        item->secret->spec->data = (ProtobufCBinaryData){strlen(data), (uint8_t *)arena_string(&d->arena, data)};
    }
}

static void add_config(struct draft *d, int action, const char *id, const char *data)
{
    Docker__Swarmkit__V1__Assignment *item = draft_add(d, action);
    item->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_CONFIG;
    item->config = arena_alloc(&d->arena, sizeof *item->config);
    docker__swarmkit__v1__config__init(item->config);
    item->config->id = arena_string(&d->arena, id);
    if (data) {
        item->config->spec = arena_alloc(&d->arena, sizeof *item->config->spec);
        docker__swarmkit__v1__config_spec__init(item->config->spec);
        item->config->spec->data = (ProtobufCBinaryData){strlen(data), (uint8_t *)arena_string(&d->arena, data)};
    }
}

static int send(struct draft *d, struct assignments *a, struct assignment_changes *changes, struct error *err)
{
    size_t size = docker__swarmkit__v1__assignments_message__get_packed_size(&d->message);
    uint8_t *packed = malloc(size + 1);
    docker__swarmkit__v1__assignments_message__pack(&d->message, packed);
    Docker__Swarmkit__V1__AssignmentsMessage *message = docker__swarmkit__v1__assignments_message__unpack(NULL, size, packed);
    assert_non_null(message);
    int result = assignments_apply(a, message, changes, err);
    docker__swarmkit__v1__assignments_message__free_unpacked(message, NULL);
    free(packed);
    arena_deinit(&d->arena);
    return result;
}

static void an_empty_complete_set_is_a_set(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, true, 0);
    assert_ok(send(&d, a, &c, err));
    assert_true(c.is_complete);
    assert_int_equal(c.updated_count + c.removed_count, 0);
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void secrets_configs_and_tasks_arrive_together(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, false, 4);
    add_task(&d, UPDATE, "task1", 512);
    add_config(&d, UPDATE, "config1", "c");
    add_secret(&d, UPDATE, "secret1", "hidden");
    assert_ok(send(&d, a, &c, err));
    assert_int_equal(c.updated_count, 1);
    assert_string_equal(c.tasks_updated[0]->id, "task1");
    assert_int_equal(c.tasks_updated[0]->desired_state, 512);
    assert_memory_equal(assignments_secret(a, "task1", "secret1")->spec->data.data, "hidden", 6);
    assert_memory_equal(assignments_config(a, "config1")->spec->data.data, "c", 1);
    assert_null(assignments_secret(a, "task1", "config1"));
    assignment_changes_deinit(&c);

    draft_begin(&d, false, 4);
    add_secret(&d, REMOVE, "secret1", NULL);
    add_task(&d, UPDATE, "task1", 640);
    assert_ok(send(&d, a, &c, err));
    assert_int_equal(c.tasks_updated[0]->desired_state, 640);
    assert_null(assignments_secret(a, "task1", "secret1"));
    assert_non_null(assignments_config(a, "config1"));
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void a_dependency_removed_and_updated_in_one_message_stays(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, false, 4);
    add_secret(&d, UPDATE, "secret1", "new");
    add_secret(&d, REMOVE, "secret1", NULL);
    add_config(&d, UPDATE, "config1", "new");
    add_config(&d, REMOVE, "config1", NULL);
    assert_ok(send(&d, a, &c, err));
    assert_non_null(assignments_secret(a, "t", "secret1"));
    assert_non_null(assignments_config(a, "config1"));
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void a_task_updated_and_removed_in_one_message_goes(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, false, 4);
    add_task(&d, REMOVE, "task1", 0);
    add_task(&d, UPDATE, "task1", 512);
    add_task(&d, UPDATE, "task2", 512);
    assert_ok(send(&d, a, &c, err));
    assert_int_equal(c.updated_count, 1);
    assert_string_equal(c.tasks_updated[0]->id, "task2");
    assert_int_equal(c.removed_count, 1);
    assert_string_equal(c.tasks_removed[0], "task1");
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void a_complete_set_replaces_all_that_was(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, true, 5);
    add_task(&d, UPDATE, "task1", 512);
    add_task(&d, UPDATE, "task2", 512);
    add_secret(&d, UPDATE, "secret1", "x");
    add_config(&d, UPDATE, "config1", "x");
    assert_ok(send(&d, a, &c, err));
    assignment_changes_deinit(&c);
    assert_int_equal(assignments_dependency_count(a), 2);

    draft_begin(&d, true, 5);
    add_task(&d, UPDATE, "task2", 512);
    add_task(&d, UPDATE, "task3", 512);
    add_secret(&d, UPDATE, "secret2", "x");
    assert_ok(send(&d, a, &c, err));
    assert_int_equal(c.updated_count, 2);
    assert_int_equal(c.removed_count, 1);
    assert_string_equal(c.tasks_removed[0], "task1");
    assert_null(assignments_secret(a, "task1", "secret1"));
    assert_non_null(assignments_secret(a, "task1", "secret2"));
    assert_null(assignments_config(a, "config1"));
    assert_int_equal(assignments_task_count(a), 2);
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void a_task_named_twice_counts_once_with_its_last_word(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, true, 5);
    add_task(&d, UPDATE, "task1", 384);
    add_task(&d, UPDATE, "task1", 512);
    assert_ok(send(&d, a, &c, err));
    assert_int_equal(c.updated_count, 1);
    assert_int_equal(c.tasks_updated[0]->desired_state, 512);
    Docker__Swarmkit__V1__Task *task = assignment_changes_steal_task(&c, 0);
    assignment_changes_deinit(&c);
    assert_string_equal(task->id, "task1");
    docker__swarmkit__v1__task__free_unpacked(task, NULL);
    assignments_free(a);
}

static void a_secret_made_for_one_task_is_found_by_its_reference(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, true, 5);
    add_secret(&d, UPDATE, "secret1", "shared");
    add_secret(&d, UPDATE, "secret1.task2", "own");
    assert_ok(send(&d, a, &c, err));
    assert_memory_equal(assignments_secret(a, "task1", "secret1")->spec->data.data, "shared", 6);
    assert_memory_equal(assignments_secret(a, "task2", "secret1")->spec->data.data, "own", 3);
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void items_that_make_no_sense_are_skipped_and_counted(void **state)
{
    const char *bad[] = {
        "",
        "../etc",
        "a/b",
        ".hidden",
        "-rf",
        "a b",
        ("toolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolongtoolong"
         "toolong")};
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    (void)state;
    draft_begin(&d, true, 40);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        add_task(&d, UPDATE, bad[i], 512);
        add_secret(&d, UPDATE, bad[i], "x");
    }
    (void)draft_add(&d, UPDATE); /* nothing in it */
    d.changes[d.message.n_changes - 1]->assignment = NULL;
    (void)draft_add(&d, UPDATE);
    add_task(&d, UPDATE, "task1", 512);
    assert_ok(send(&d, a, &c, err));
    assert_int_equal(c.updated_count, 1);
    assert_int_equal(c.skipped_count, 2 * sizeof bad / sizeof bad[0] + 2);
    assignment_changes_deinit(&c);
    assignments_free(a);
}

static void sets_beyond_the_limit_are_refused_whole(void **state)
{
    struct assignments *a = assignments_new();
    struct assignment_changes c;
    struct draft d;
    char id[16];
    (void)state;
    draft_begin(&d, true, TASKS_PER_NODE_COUNT + 1);
    for (int i = 0; i <= TASKS_PER_NODE_COUNT; i++) {
        (void)snprintf(id, sizeof id, "task%d", i);
        add_task(&d, UPDATE, id, 512);
    }
    assert_fails(send(&d, a, &c, err), ERR_LIMIT, "assigns 10001 tasks");
    assert_int_equal(assignments_task_count(a), 0);

    draft_begin(&d, false, DEPENDENCIES_PER_NODE_COUNT + 2);
    add_task(&d, UPDATE, "task", 512);
    for (int i = 0; i <= DEPENDENCIES_PER_NODE_COUNT; i++) {
        (void)snprintf(id, sizeof id, "s%d", i);
        if (i % 2)
            add_secret(&d, UPDATE, id, "x");
        else
            add_config(&d, UPDATE, id, "x");
    }
    assert_fails(send(&d, a, &c, err), ERR_LIMIT, "secrets and configs");
    assert_int_equal(assignments_task_count(a), 0);
    assignments_free(a);
}

#define IDS 12

/* Random histories against a model: sets of names. */
static void the_set_is_always_what_the_messages_say(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random_seeded seeded;
        random_seeded_init(&seeded, seed);
        struct random r = random_from_seeded(&seeded);
        struct assignments *a = assignments_new();
        bool task_there[IDS] = {0}, secret_there[IDS] = {0};

        for (int n = 0; n < 60; n++) {
            struct assignment_changes c;
            struct draft d;
            bool is_complete = random_below(&r, 6) == 0;
            char id[16];
            draft_begin(&d, is_complete, 3 * IDS);
            if (is_complete)
                memset(secret_there, 0, sizeof secret_there);
            bool before[IDS];
            memcpy(before, task_there, sizeof before);
            if (is_complete)
                memset(task_there, 0, sizeof task_there);
            for (int i = 0; i < IDS; i++) { /* each id at most once per message */
                uint64_t what = random_below(&r, 6);
                (void)snprintf(id, sizeof id, "x%d", i);
                if (what == 0) {
                    add_task(&d, UPDATE, id, 512);
                    task_there[i] = true;
                } else if (what == 1) {
                    add_task(&d, REMOVE, id, 0);
                    task_there[i] = false;
                } else if (what == 2) {
                    add_secret(&d, UPDATE, id, "x");
                    secret_there[i] = true;
                } else if (what == 3) {
                    add_secret(&d, REMOVE, id, NULL);
                    secret_there[i] = false;
                }
            }
            assert_ok(send(&d, a, &c, err));
            size_t gone = 0, tasks = 0;
            for (int i = 0; i < IDS; i++) {
                (void)snprintf(id, sizeof id, "x%d", i);
                assert_true(secret_there[i] == (assignments_secret(a, "t", id) != NULL));
                gone += before[i] && !task_there[i];
                tasks += task_there[i];
            }
            assert_int_equal(c.removed_count, gone);
            assert_int_equal(assignments_task_count(a), tasks);
            assignment_changes_deinit(&c);
        }
        assignments_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_complete_set_is_a_set),
        cmocka_unit_test(secrets_configs_and_tasks_arrive_together),
        cmocka_unit_test(a_dependency_removed_and_updated_in_one_message_stays),
        cmocka_unit_test(a_task_updated_and_removed_in_one_message_goes),
        cmocka_unit_test(a_complete_set_replaces_all_that_was),
        cmocka_unit_test(a_task_named_twice_counts_once_with_its_last_word),
        cmocka_unit_test(a_secret_made_for_one_task_is_found_by_its_reference),
        cmocka_unit_test(items_that_make_no_sense_are_skipped_and_counted),
        cmocka_unit_test(sets_beyond_the_limit_are_refused_whole),
        cmocka_unit_test(the_set_is_always_what_the_messages_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
