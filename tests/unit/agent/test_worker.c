/* tests/unit/agent/test_worker.c – the worker against the emulated host, in virtual time, with faults and kills. */
#include "agent/worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/assignments.h"
#include "agent/task_store.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/message.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "runtime/emulated/hcs_emulated.h"
#include "tests/unit/test.h"

enum {
    TASKS = 6,
    ASSIGNED = 192,
    PREPARING = 320,
    READY = 384,
    STARTING = 448,
    RUNNING = 512,
    COMPLETE = 576,
    SHUTDOWN = 640,
    FAILED = 704,
    REJECTED = 768,
    REMOVE = 800
};

struct told {
    int state, count, exit_code;
    char err[512], message[128], container[80];
    bool is_forgotten, has_container;
};

struct fixture {
    char dir[64];
    uint64_t now_ns;
    struct random_seeded seed, host_seed;
    struct hcs *hcs;
    struct worker *worker;
    struct assignments *assignments;
    struct image_source images;
    struct told told[TASKS];
    int desired[TASKS], manager_state[TASKS]; /* as in the assignment; 0: ASSIGNED */
    const char *args[TASKS][3];
    const char *image_error;       /* what a pull says */
    const char *stop_after[TASKS]; /* the label of its service; NULL: none */
    uint64_t slot[TASKS];          /* 0: one of its own */
    bool has_image, has_health, has_secret, has_unknown, may_return;
    unsigned systems, steps, kill_at, pulls;
    unsigned pins, removals_left;
    int holds;
    char ids[TASKS][8];
};

/* --- time, images, what is told --- */

static uint64_t clock_ns(void *self)
{
    return ((struct fixture *)self)->now_ns;
}

static int64_t wall_ns(void *self)
{
    return (int64_t)((struct fixture *)self)->now_ns + 1000000000000000000;
}

static int image_lookup(void *self, const char *reference, struct image *out, struct error *err)
{
    const struct fixture *f = self;
    struct image_source emulated = image_source_emulated();
    if (!f->has_image)
        return error_set(err, ERR_NOT_FOUND, "No such image: %s", reference);
    return emulated.find(emulated.self, reference, out, err);
}

static int image_fetch(void *self, const char *reference, const char *auth, image_progress_cb progress, image_pulled_cb done, void *ctx,
                       void **job, struct error *err)
{
    struct fixture *f = self;
    (void)auth;
    (void)progress;
    (void)done;
    (void)ctx;
    (void)job;
    (void)reference;
    f->pulls++;
    return error_set(err, ERR_UNAVAILABLE, "%s", f->image_error);
}

static void image_stop(void *self, void *job)
{
    (void)self;
    (void)job;
}

static int image_keep(void *self, const char *id, struct error *err)
{
    struct fixture *f = self;
    (void)id;
    if (f->removals_left > 0 && f->removals_left--)
        return error_set(err, ERR_AGAIN, "images are being removed");
    f->pins++;
    return 0;
}

static void images_hold(void *self, bool is_held)
{
    ((struct fixture *)self)->holds += is_held ? 1 : -1;
}

static void image_let(void *self, const char *id)
{
    (void)id;
    ((struct fixture *)self)->pins--;
}

static struct told *told_of(struct fixture *f, const char *task_id)
{
    return &f->told[task_id[1] - '0'];
}

static void on_status(void *ctx, const char *task_id, const Docker__Swarmkit__V1__TaskStatus *status)
{
    struct told *told = told_of(ctx, task_id);
    assert_false(told->is_forgotten);
    if ((int)status->state < told->state)
        fail_msg("task %s went back from %d to %d", task_id, told->state, (int)status->state);
    told->count += (int)status->state != told->state;
    told->state = (int)status->state;
    snprintf(told->err, sizeof told->err, "%s", status->err);
    snprintf(told->message, sizeof told->message, "%s", status->message);
    told->has_container = status->container != NULL;
    if (status->container) {
        told->exit_code = status->container->exit_code;
        snprintf(told->container, sizeof told->container, "%s", status->container->container_id);
    }
}

static void on_forgotten(void *ctx, const char *task_id)
{
    struct fixture *f = ctx;
    if (f->may_return)
        *told_of(f, task_id) = (struct told){0};
    else
        told_of(f, task_id)->is_forgotten = true;
}

/* --- the manager --- */

struct draft {
    struct arena arena;
    Docker__Swarmkit__V1__AssignmentsMessage message;
};

static Docker__Swarmkit__V1__Assignment *draft_item(struct draft *d)
{
    Docker__Swarmkit__V1__AssignmentChange *change = arena_alloc(&d->arena, sizeof *change);
    docker__swarmkit__v1__assignment_change__init(change);
    change->assignment = arena_alloc(&d->arena, sizeof *change->assignment);
    docker__swarmkit__v1__assignment__init(change->assignment);
    d->message.changes[d->message.n_changes++] = change;
    return change->assignment;
}

static void draft_secret(struct draft *d)
{
    Docker__Swarmkit__V1__Assignment *item = draft_item(d);
    Docker__Swarmkit__V1__Secret *secret = arena_alloc(&d->arena, sizeof *secret);
    docker__swarmkit__v1__secret__init(secret);
    secret->id = arena_string(&d->arena, "secret1");
    secret->spec = arena_alloc(&d->arena, sizeof *secret->spec);
    docker__swarmkit__v1__secret_spec__init(secret->spec);
    secret->spec->data = (ProtobufCBinaryData){6, arena_copy(&d->arena, "hunter", 6)};
    item->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_SECRET;
    item->secret = secret;
}

static void refer_to_secret(struct draft *d, Docker__Swarmkit__V1__ContainerSpec *spec)
{
    Docker__Swarmkit__V1__SecretReference *reference = arena_alloc(&d->arena, sizeof *reference);
    docker__swarmkit__v1__secret_reference__init(reference);
    reference->secret_id = arena_string(&d->arena, "secret1");
    reference->secret_name = arena_string(&d->arena, "password");
    reference->target_case = DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    reference->file = arena_alloc(&d->arena, sizeof *reference->file);
    docker__swarmkit__v1__file_target__init(reference->file);
    reference->file->name = arena_string(&d->arena, "password");
    spec->secrets = arena_alloc(&d->arena, sizeof *spec->secrets);
    spec->secrets[spec->n_secrets++] = reference;
}

static void add_health(struct draft *d, Docker__Swarmkit__V1__ContainerSpec *spec)
{
    static const char *const test[] = {"CMD", "check"};
    spec->healthcheck = arena_alloc(&d->arena, sizeof *spec->healthcheck);
    docker__swarmkit__v1__health_config__init(spec->healthcheck);
    spec->healthcheck->test = (char **)(uintptr_t)test;
    spec->healthcheck->n_test = 2;
    spec->healthcheck->retries = 2;
}

/* Fields of a later SwarmKit: a text, a message that looks like one of ours, a number. */
enum { UNKNOWN_TEXT = 1000, UNKNOWN_NUMBER = 1001, UNKNOWN_COUNT = 2 };

static void add_unknown(struct draft *d, ProtobufCMessage *message)
{
    static const uint8_t text[] = {5, 0x0a, 3, 'n', 'e', 'w'}, number[] = {0xac, 0x02};
    message->n_unknown_fields = UNKNOWN_COUNT;
    message->unknown_fields = arena_alloc(&d->arena, UNKNOWN_COUNT * sizeof *message->unknown_fields);
    message->unknown_fields[0] = (ProtobufCMessageUnknownField){UNKNOWN_TEXT, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof text,
                                                                arena_copy(&d->arena, text, sizeof text)};
    message->unknown_fields[1] = (ProtobufCMessageUnknownField){UNKNOWN_NUMBER, PROTOBUF_C_WIRE_TYPE_VARINT, sizeof number,
                                                                arena_copy(&d->arena, number, sizeof number)};
}

static void add_stop_after(struct draft *d, Docker__Swarmkit__V1__Task *task, const char *duration)
{
    Docker__Swarmkit__V1__Annotations__LabelsEntry *label = arena_alloc(&d->arena, sizeof *label);
    docker__swarmkit__v1__annotations__labels_entry__init(label);
    label->key = arena_string(&d->arena, WORKER_STOP_AFTER_LABEL);
    label->value = arena_string(&d->arena, duration);
    task->service_annotations = arena_alloc(&d->arena, sizeof *task->service_annotations);
    docker__swarmkit__v1__annotations__init(task->service_annotations);
    task->service_annotations->labels = arena_copy(&d->arena, &label, sizeof(void *));
    task->service_annotations->n_labels = 1;
}

static void draft_task(struct fixture *f, struct draft *d, int i)
{
    Docker__Swarmkit__V1__Assignment *item = draft_item(d);
    Docker__Swarmkit__V1__Task *task = arena_alloc(&d->arena, sizeof *task);
    Docker__Swarmkit__V1__ContainerSpec *spec = arena_alloc(&d->arena, sizeof *spec);
    docker__swarmkit__v1__task__init(task);
    docker__swarmkit__v1__container_spec__init(spec);
    task->id = f->ids[i];
    task->node_id = arena_string(&d->arena, "node1");
    task->service_id = arena_string(&d->arena, "service1");
    task->slot = f->slot[i] ? f->slot[i] : (uint64_t)i + 1;
    task->desired_state = (Docker__Swarmkit__V1__TaskState)f->desired[i];
    task->status = arena_alloc(&d->arena, sizeof *task->status);
    docker__swarmkit__v1__task_status__init(task->status);
    task->status->state = (Docker__Swarmkit__V1__TaskState)(f->manager_state[i] ? f->manager_state[i] : ASSIGNED);
    task->spec = arena_alloc(&d->arena, sizeof *task->spec);
    docker__swarmkit__v1__task_spec__init(task->spec);
    task->spec->runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    task->spec->container = spec;
    spec->image = arena_string(&d->arena, "app:1");
    spec->command = (char **)(uintptr_t)f->args[i];
    while (f->args[i][spec->n_command])
        spec->n_command++;
    if (f->stop_after[i])
        add_stop_after(d, task, f->stop_after[i]);
    if (f->has_secret)
        refer_to_secret(d, spec);
    if (f->has_health)
        add_health(d, spec);
    if (f->has_unknown) {
        add_unknown(d, &item->base);
        add_unknown(d, &task->base);
        add_unknown(d, &task->spec->base);
        add_unknown(d, &spec->base);
    }
    item->item_case = DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK;
    item->task = task;
}

/* The manager's whole set. */
static void assign(struct fixture *f)
{
    struct draft d = {0};
    struct assignment_changes changes = {0};
    docker__swarmkit__v1__assignments_message__init(&d.message);
    d.message.type = DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE;
    d.message.changes = arena_alloc(&d.arena, (TASKS + 1) * sizeof(void *));
    if (f->has_secret)
        draft_secret(&d);
    for (int i = 0; i < TASKS; i++)
        if (f->desired[i])
            draft_task(f, &d, i);
    size_t size = docker__swarmkit__v1__assignments_message__get_packed_size(&d.message);
    uint8_t *packed = mem_alloc(size + 1);
    docker__swarmkit__v1__assignments_message__pack(&d.message, packed);
    Docker__Swarmkit__V1__AssignmentsMessage *message = docker__swarmkit__v1__assignments_message__unpack(NULL, size, packed);
    assert_ok(assignments_apply(f->assignments, message, &changes, err));
    docker__swarmkit__v1__assignments_message__free_unpacked(message, NULL);
    worker_assign(f->worker, &changes);
    assignment_changes_deinit(&changes);
    free(packed);
    arena_deinit(&d.arena);
}

/* --- the life of a worker --- */

static void open_worker(struct fixture *f)
{
    const struct worker_options options = {.clock = {clock_ns, wall_ns, f},
                                           .random = random_from_seeded(&f->seed),
                                           .state_dir = f->dir,
                                           .hcs = f->hcs,
                                           .images = f->images,
                                           .default_isolation = ISOLATION_PROCESS,
                                           .listener = {.on_status = on_status, .on_forgotten = on_forgotten, .ctx = f}};
    assert_ok(worker_new(&options, &f->worker, err));
    f->assignments = assignments_new();
    worker_set_node(f->worker, "node1", "host1", "x86_64", "linux");
    worker_start(f->worker, f->assignments);
    worker_report_all(f->worker);
}

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.now_ns = NS_PER_S, .has_image = true, .image_error = "connection refused", .kill_at = UINT32_MAX};
    snprintf(f->dir, sizeof f->dir, "/tmp/skep-worker-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    for (int i = 0; i < TASKS; i++)
        snprintf(f->ids[i], sizeof f->ids[i], "t%d", i);
    random_seeded_init(&f->seed, 1);
    random_seeded_init(&f->host_seed, 2);
    f->images = (struct image_source){image_lookup, image_fetch, image_stop, image_keep, image_let, images_hold, f};
    const struct hcs_emulated_options host = {
        .random = random_from_seeded(&f->host_seed), .operation_min_ns = NS_PER_MS, .operation_max_ns = 20 * NS_PER_MS};
    assert_ok(hcs_emulated_new(&host, f->now_ns, wall_ns(f), &f->hcs, err));
    open_worker(f);
}

static void tear_down(struct fixture *f)
{
    worker_free(f->worker, NULL, NULL);
    hcs_close(f->hcs, NULL, NULL);
    assignments_free(f->assignments);
    assert_ok(file_remove_tree(f->dir, err));
    assert_int_equal(f->pins, 0);
    assert_int_equal(f->holds, 0);
}

/* SIGKILL, and a new start over what is on disk and on the host, without a manager. */
static void restart_worker(struct fixture *f)
{
    f->hcs = hcs_emulated_restart(f->hcs, f->now_ns, wall_ns(f));
    worker_abandon(f->worker);
    assignments_free(f->assignments);
    f->holds = 0;
    open_worker(f);
}

static void kill_worker(struct fixture *f)
{
    restart_worker(f);
    for (int i = 0; i < TASKS; i++)
        if (f->told[i].state > 0 && !f->told[i].is_forgotten && f->desired[i])
            assert_true(worker_find(f->worker, f->ids[i], &(struct worker_task){0})); /* what was acknowledged is known */
    assign(f);
}

/* Everything due within @seconds happens, with a kill at step kill_at. */
static void run(struct fixture *f, uint64_t seconds)
{
    uint64_t end_ns = f->now_ns + seconds * NS_PER_S;
    for (unsigned turns = 0;; turns++) {
        uint64_t worker_ns = worker_wake_ns(f->worker), host_ns = hcs_emulated_next_ns(f->hcs);
        uint64_t next_ns = worker_ns < host_ns ? worker_ns : host_ns;
        if (next_ns > end_ns)
            break;
        if (turns > 200000)
            fail_msg("it does not come to rest");
        if (next_ns > f->now_ns)
            f->now_ns = next_ns;
        if (f->steps++ == f->kill_at) {
            kill_worker(f);
            continue;
        }
        if (host_ns <= f->now_ns)
            hcs_emulated_step(f->hcs, f->now_ns, wall_ns(f));
        else
            worker_tick(f->worker);
    }
    f->now_ns = end_ns;
}

static void count_systems(void *ctx, const struct hcs_properties *systems, size_t count, const struct error *err)
{
    (void)systems;
    assert_null(err);
    ((struct fixture *)ctx)->systems = (unsigned)count;
}

static unsigned systems(struct fixture *f)
{
    f->systems = UINT32_MAX;
    while (f->systems == UINT32_MAX) { /* a kill takes the answer away */
        hcs_system_enumerate(f->hcs, NULL, count_systems, f);
        run(f, 11);
    }
    return f->systems;
}

static void want(struct fixture *f, int i, int desired, const char *command, const char *argument)
{
    f->desired[i] = desired;
    if (!f->args[i][0]) {
        f->args[i][0] = command;
        f->args[i][1] = argument;
    }
}

static void rule(struct fixture *f, const char *script)
{
    assert_ok(hcs_emulated_script(f->hcs, script, err));
}

static void remove_all_leaves_nothing(struct fixture *f)
{
    memset(f->desired, 0, sizeof f->desired);
    assign(f);
    run(f, 300);
    assert_int_equal(systems(f), 0);
    struct worker_stats stats;
    worker_stats(f->worker, &stats);
    assert_int_equal(stats.tasks, 0);
}

/* --- behaviours --- */

static void task_runs_and_is_removed(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 10);
    assert_int_equal(f.told[0].state, RUNNING);
    assert_string_equal(f.told[0].message, "started");
    assert_int_equal(strlen(f.told[0].container), 64);
    assert_in_range(f.told[0].count, 3, 5); /* one that is overtaken before it is on disk need not be told */
    remove_all_leaves_nothing(&f);
    assert_true(f.told[0].is_forgotten);
    tear_down(&f);
}

static void ready_is_as_far_as_desired(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, READY, "serve", NULL);
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[0].state, READY);
    f.desired[0] = RUNNING;
    assign(&f);
    run(&f, 10);
    assert_int_equal(f.told[0].state, RUNNING);
    f.desired[0] = READY; /* never lowered */
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[0].state, RUNNING);
    f.desired[0] = SHUTDOWN;
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[0].state, SHUTDOWN);
    assert_int_equal(systems(&f), 1); /* kept until the task leaves */
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

/* The first task's service allows half a minute, the second's says nothing, the third's nonsense. */
static void who_is_cut_off_stops_what_must_not_run_twice(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    for (int i = 0; i < 3; i++)
        want(&f, i, RUNNING, "serve", NULL);
    f.stop_after[0] = "30s";
    f.stop_after[2] = "soon";
    assign(&f);
    worker_set_contact(f.worker, true);
    run(&f, 100); /* whoever is heard stops nothing */
    worker_set_contact(f.worker, false);
    run(&f, 20);
    worker_set_contact(f.worker, true);
    run(&f, 20);
    worker_set_contact(f.worker, false);
    run(&f, 29);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f.told[i].state, RUNNING);
    run(&f, 10);
    assert_int_equal(f.told[0].state, SHUTDOWN);
    assert_int_equal(f.told[1].state, RUNNING);
    assert_int_equal(f.told[2].state, RUNNING);
    restart_worker(&f); /* it does not come back */
    run(&f, 20);
    worker_set_contact(f.worker, true);
    assign(&f);
    run(&f, 20);
    assert_int_equal(f.told[0].state, SHUTDOWN);
    assert_int_equal(f.told[1].state, RUNNING);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

/* As it is for a node that was away and comes back: the copy in slot 9 is still there, and the next is assigned already. The second pair's
 * service says nothing of it, and the third copy is wanted as well: an update that starts first. */
static void the_next_of_a_slot_starts_when_the_copy_has_stopped(void **state)
{
    static const uint64_t slots[] = {9, 9, 8, 8, 7, 7};
    struct fixture f;
    unsigned turns = 0;
    (void)state;
    set_up(&f);
    for (int i = 0; i < 6; i++) {
        f.slot[i] = slots[i];
        f.stop_after[i] = i / 2 == 1 ? NULL : "30s";
    }
    for (int i = 0; i < 6; i += 2)
        want(&f, i, RUNNING, "serve", NULL);
    assign(&f);
    worker_set_contact(f.worker, true);
    run(&f, 20);
    rule(&f, "shutdown late-exit delay=5s");
    restart_worker(&f);
    want(&f, 0, SHUTDOWN, "serve", NULL);
    want(&f, 2, SHUTDOWN, "serve", NULL);
    for (int i = 1; i < 6; i += 2)
        want(&f, i, RUNNING, "serve", NULL);
    assign(&f);
    worker_set_contact(f.worker, true);
    while (f.told[3].state != RUNNING || f.told[5].state != RUNNING) {
        assert_true(turns++ < 100);
        run(&f, 1);
    }
    assert_true(f.told[2].state < SHUTDOWN); /* it did not wait, nor was there anything to wait for */
    assert_int_equal(f.told[4].state, RUNNING);
    while (f.told[1].state != RUNNING) {
        assert_true(turns++ < 100);
        assert_true(f.told[0].state >= SHUTDOWN || f.told[1].state < RUNNING);
        run(&f, 1);
    }
    assert_int_equal(f.told[0].state, SHUTDOWN);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

/* The host goes down: what runs is stopped and told, what comes is left alone, and a start afterwards goes on with what it is given. */
static void a_drained_worker_stops_all_and_begins_nothing(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, RUNNING, "serve", NULL);
    want(&f, 1, READY, "serve", NULL);
    assign(&f);
    run(&f, 10);
    assert_int_equal(f.told[0].state, RUNNING);
    assert_int_equal(worker_running(f.worker), 2);
    worker_drain(f.worker);
    want(&f, 2, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[0].state, SHUTDOWN);
    assert_int_equal(f.told[1].state, SHUTDOWN);
    assert_int_equal(f.told[2].count, 0);
    assert_int_equal(worker_running(f.worker), 0);
    restart_worker(&f);
    worker_set_contact(f.worker, true);
    assign(&f);
    run(&f, 20);
    assert_int_equal(f.told[0].state, SHUTDOWN);
    assert_int_equal(f.told[2].state, RUNNING);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

/* A restart does not give a node that is cut off more time than once again. */
static void who_starts_cut_off_counts_from_there(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, RUNNING, "serve", NULL);
    f.stop_after[0] = "30s";
    assign(&f);
    worker_set_contact(f.worker, true);
    run(&f, 10);
    restart_worker(&f);
    run(&f, 29);
    assert_int_equal(f.told[0].state, RUNNING);
    run(&f, 10);
    assert_int_equal(f.told[0].state, SHUTDOWN);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void exits_are_told_as_dockerd_does(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, RUNNING, "exit", "0");
    want(&f, 1, RUNNING, "exit", "3");
    assign(&f);
    run(&f, 10);
    assert_int_equal(f.told[0].state, COMPLETE);
    assert_string_equal(f.told[0].message, "finished");
    assert_int_equal(f.told[1].state, FAILED);
    assert_string_equal(f.told[1].err, "task: non-zero exit (3)");
    assert_string_equal(f.told[1].message, "started");
    assert_int_equal(f.told[1].exit_code, 3);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

/* Removals wait until it is known what runs here, and a container waits for one that is under way. */
static void removals_of_images_and_containers_keep_out_of_each_other_s_way(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    assert_int_equal(f.holds, 1);
    run(&f, 1);
    assert_int_equal(f.holds, 0);
    f.removals_left = 2;
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[0].state, RUNNING);
    assert_int_equal(f.removals_left, 0);
    assert_int_equal(f.pins, 1);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void missing_image_rejects_with_the_cause(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.has_image = false;
    want(&f, 0, RUNNING, "serve", NULL);
    want(&f, 1, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 5);
    assert_int_equal(f.told[0].state, REJECTED);
    assert_string_equal(f.told[0].err, "No such image: app:1: connection refused");
    assert_string_equal(f.told[0].message, "preparing");
    assert_true(f.told[0].has_container); /* as Docker tells it: one of which there is nothing to say */
    assert_string_equal(f.told[0].container, "");
    assert_int_equal(f.told[1].state, REJECTED);
    assert_int_equal(f.pulls, 1); /* shared */
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void failing_start_is_failed_with_its_cause(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    rule(&f, "start fail code=ERR_IO message=exec: no such file");
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 30);
    assert_int_equal(f.told[0].state, FAILED);
    assert_string_equal(f.told[0].err, "starting container failed: exec: no such file");
    assert_string_equal(f.told[0].message, "starting");
    hcs_emulated_clear_rules(f.hcs);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void healthy_before_running(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.has_health = true;
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 20);
    assert_int_equal(f.told[0].state, STARTING);
    run(&f, 20); /* the first probe comes after 30 s */
    assert_int_equal(f.told[0].state, RUNNING);
    hcs_emulated_set_process_result(f.hcs, "", 1, "sick");
    run(&f, 200);
    assert_int_equal(f.told[0].state, FAILED);
    assert_non_null(strstr(f.told[0].err, "dockerexec: unhealthy container"));
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void unhealthy_from_the_start_never_runs(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.has_health = true;
    hcs_emulated_set_process_result(f.hcs, "", 1, "sick");
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 200);
    assert_int_equal(f.told[0].state, FAILED);
    assert_string_equal(f.told[0].err, "dockerexec: unhealthy container");
    assert_string_equal(f.told[0].message, "starting");
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void resumed_preparing_waits_for_the_first_complete(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.has_secret = true;
    rule(&f, "create fail code=ERR_AGAIN");
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 3);
    assert_int_equal(f.told[0].state, PREPARING);
    assert_int_equal(f.pulls, 1);
    hcs_emulated_clear_rules(f.hcs);
    restart_worker(&f);
    f.has_image = false; /* and a registry that wants the credentials, which were not kept */
    run(&f, 3600);
    assert_int_equal(f.told[0].state, PREPARING);
    assert_int_equal(f.pulls, 1);
    f.has_image = true;
    assign(&f);
    run(&f, 10);
    assert_int_equal(f.told[0].state, RUNNING);
    assert_int_equal(f.pulls, 2);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void slow_create_is_not_rejected(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    run(&f, 1);
    rule(&f, "create fail code=ERR_DEADLINE count=1");
    rule(&f, "create fail code=ERR_EXISTS count=9"); /* the first one goes on */
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 300);
    assert_string_equal(f.told[0].err, "");
    assert_int_equal(f.told[0].state, RUNNING);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void slow_start_with_a_health_check_comes_to_rest(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.has_health = true;
    rule(&f, "start fail-but-done code=ERR_DEADLINE count=1");
    rule(&f, "properties fail code=ERR_IO count=1");
    want(&f, 0, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 100);
    assert_int_equal(f.told[0].state, RUNNING);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void exit_while_down_is_seen_after_restart(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, RUNNING, "serve", NULL);
    want(&f, 1, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 10);
    f.hcs = hcs_emulated_restart(f.hcs, f.now_ns, wall_ns(&f));
    assert_ok(hcs_emulated_exit(f.hcs, f.told[0].container, 7, true, err));
    worker_abandon(f.worker);
    assignments_free(f.assignments);
    open_worker(&f);
    run(&f, 5); /* no manager yet */
    assert_int_equal(f.told[0].state, FAILED);
    assert_non_null(strstr(f.told[0].err, "task: non-zero exit (7): OOMKilled"));
    assert_int_equal(f.told[1].state, RUNNING);
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[1].state, RUNNING);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void lost_exit_is_found(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    rule(&f, "start lose-exit");
    want(&f, 0, RUNNING, "sleep", "5");
    assign(&f);
    run(&f, 120);
    assert_int_equal(f.told[0].state, COMPLETE);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void faults_end_well(void **state)
{
    static const char *const scripts[] = {"start hang count=1",
                                          "create hang count=1",
                                          "start fail-but-done code=ERR_IO count=1",
                                          "create fail-but-done code=ERR_IO count=1",
                                          "create fail code=ERR_AGAIN count=2",
                                          "start slow delay=50s",
                                          "enumerate fail code=ERR_IO count=3",
                                          "properties fail code=ERR_IO count=3",
                                          "start exit-first exit=0"};
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct fixture f;
        set_up(&f);
        if (strncmp(scripts[i], "enumerate", 9) != 0 && strncmp(scripts[i], "properties", 10) != 0)
            run(&f, 1);
        rule(&f, scripts[i]);
        want(&f, 0, RUNNING, "serve", NULL);
        assign(&f);
        run(&f, 400);
        if (f.told[0].state != RUNNING && f.told[0].state != COMPLETE)
            fail_msg("with \"%s\" the task is in %d: %s", scripts[i], f.told[0].state, f.told[0].err);
        hcs_emulated_clear_rules(f.hcs);
        remove_all_leaves_nothing(&f);
        tear_down(&f);
    }
}

static void stops_end_in_spite_of_faults(void **state)
{
    static const char *const scripts[] = {"shutdown hang count=1", "shutdown fail code=ERR_IO count=1", "shutdown late-exit delay=20s",
                                          "shutdown fail-but-done code=ERR_IO count=1", "shutdown slow delay=30s"};
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct fixture f;
        set_up(&f);
        want(&f, 0, RUNNING, "serve", NULL);
        assign(&f);
        run(&f, 10);
        rule(&f, scripts[i]);
        f.desired[0] = SHUTDOWN;
        assign(&f);
        run(&f, 400);
        if (f.told[0].state != SHUTDOWN)
            fail_msg("with \"%s\" the task is in %d", scripts[i], f.told[0].state);
        rule(&f, "remove fail code=ERR_IO count=2");
        remove_all_leaves_nothing(&f);
        tear_down(&f);
    }
}

static void on_left(void *ctx, const struct error *err)
{
    assert_non_null(err);
    assert_int_equal(err->code, ERR_DEADLINE);
    (*(unsigned *)ctx)++;
}

/* A leave that ran out of time: the node is in the swarm again, whose manager goes on believing in what was stopped. */
static void failed_leave_tells_what_became_of_the_tasks(void **state)
{
    struct fixture f;
    unsigned left = 0;
    (void)state;
    set_up(&f);
    for (int i = 0; i < 3; i++)
        want(&f, i, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 10);
    rule(&f, "remove fail code=ERR_IO");
    worker_remove_all(f.worker, on_left, &left);
    run(&f, 200);
    assert_int_equal(left, 1);
    f.may_return = true;
    f.manager_state[0] = f.manager_state[1] = RUNNING;
    worker_report_all(f.worker);
    assign(&f);
    run(&f, 1);
    f.desired[1] = 0; /* this one is not wanted any more meanwhile */
    assign(&f);
    hcs_emulated_clear_rules(f.hcs);
    run(&f, 200);
    assert_int_equal(f.told[0].state, FAILED);
    assert_string_equal(f.told[0].err, "dockerexec: container destroyed");
    assert_int_equal(f.told[1].state, 0);
    assert_int_equal(f.told[2].state, RUNNING); /* the manager had not heard of it yet: it begins anew */
    assert_int_equal(systems(&f), 1);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

/* The whole life of three tasks, killed once at every step of it. */
static void kill_at_every_step(void **state)
{
    unsigned last = 1000;
    (void)state;
    for (unsigned kill_at = 0; kill_at < last; kill_at++) {
        struct fixture f;
        set_up(&f);
        f.kill_at = kill_at;
        f.has_secret = true;
        want(&f, 0, RUNNING, "serve", NULL);
        want(&f, 1, RUNNING, "sleep", "4");
        want(&f, 2, READY, "serve", NULL);
        assign(&f);
        run(&f, 3);
        assert_true(f.told[0].state == RUNNING);
        f.desired[2] = RUNNING;
        assign(&f);
        run(&f, 10);
        assert_int_equal(f.told[0].state, RUNNING);
        assert_int_equal(f.told[1].state, COMPLETE);
        assert_int_equal(f.told[2].state, RUNNING);
        assert_int_equal(systems(&f), 3);
        f.desired[0] = SHUTDOWN;
        f.desired[1] = 0;
        assign(&f);
        run(&f, 30);
        assert_int_equal(f.told[0].state, SHUTDOWN);
        assert_int_equal(f.told[2].state, RUNNING);
        assert_int_equal(systems(&f), 2);
        remove_all_leaves_nothing(&f);
        if (f.steps <= kill_at)
            last = kill_at;
        tear_down(&f);
    }
    assert_in_range(last, 50, 999);
}

static void lost_database_adopts_what_is_assigned(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    want(&f, 0, RUNNING, "serve", NULL);
    want(&f, 1, RUNNING, "serve", NULL);
    assign(&f);
    run(&f, 10);
    char container[80];
    snprintf(container, sizeof container, "%s", f.told[0].container);
    f.hcs = hcs_emulated_restart(f.hcs, f.now_ns, wall_ns(&f));
    worker_abandon(f.worker);
    assignments_free(f.assignments);
    char path[128];
    snprintf(path, sizeof path, "%s/worker.db", f.dir);
    assert_ok(file_remove(path, err));
    strcat(path, "-wal");
    assert_ok(file_remove(path, err));
    memset(f.told, 0, sizeof f.told);
    f.pins = 0;
    f.holds = 0;
    open_worker(&f);
    run(&f, 60);
    assert_int_equal(systems(&f), 2); /* nothing is removed before the manager was heard */
    f.desired[1] = 0;
    assign(&f);
    run(&f, 60);
    assert_int_equal(f.told[0].state, RUNNING);
    assert_string_equal(f.told[0].container, container);
    assert_int_equal(systems(&f), 1);
    remove_all_leaves_nothing(&f);
    tear_down(&f);
}

static void nothing_is_acknowledged_that_is_not_on_disk(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    char sql[256];
    snprintf(sql, sizeof sql, "%s/worker.db", f.dir);
    worker_free(f.worker, NULL, NULL);
    assignments_free(f.assignments);
    assert_int_equal(truncate(sql, 0), 0);
    FILE *file = fopen(sql, "w");
    assert_non_null(file);
    fputs("this is no database, and long enough to be one: ................................................................", file);
    fclose(file);
    const struct worker_options options = {.clock = {clock_ns, wall_ns, &f}, .state_dir = f.dir, .hcs = f.hcs, .images = f.images};
    struct worker *worker = NULL;
    assert_fails(worker_new(&options, &worker, err), ERR_CORRUPT, "worker.db");
    assert_ok(file_remove(sql, err));
    open_worker(&f);
    tear_down(&f);
}

static void assert_has_unknown(const ProtobufCMessage *message)
{
    assert_int_equal(message->n_unknown_fields, UNKNOWN_COUNT);
    assert_int_equal(message->unknown_fields[0].tag, UNKNOWN_TEXT);
    assert_int_equal(message->unknown_fields[0].len, 6);
    assert_memory_equal(message->unknown_fields[0].data, "\x05\x0a\x03new", 6);
    assert_int_equal(message->unknown_fields[1].tag, UNKNOWN_NUMBER);
    assert_int_equal(message->unknown_fields[1].len, 2);
    assert_memory_equal(message->unknown_fields[1].data, "\xac\x02", 2);
}

static void check_record(void *ctx, const struct task_record *record)
{
    Docker__Swarmkit__V1__Task *task = NULL;
    assert_ok(MESSAGE_UNPACK(Docker__Swarmkit__V1__Task, docker__swarmkit__v1__task, record->task, record->task.size, &task, err));
    assert_has_unknown(&task->base);
    assert_has_unknown(&task->spec->base);
    assert_has_unknown(&task->spec->container->base);
    assert_string_equal(task->spec->container->image, "app:1");
    message_free(&task->base);
    ++*(unsigned *)ctx;
}

static void ignore_written(void *ctx, const char *task_id, enum task_write write, uint64_t sequence, const struct error *err)
{
    (void)ctx;
    (void)task_id;
    (void)write;
    (void)sequence;
    (void)err;
}

/* What a killed worker left in worker.db. */
static unsigned records_with_unknown_fields(struct fixture *f)
{
    const struct task_store_listener deaf = {ignore_written, NULL};
    struct task_store *store = NULL;
    char path[96];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/worker.db", f->dir);
    assert_ok(task_store_open(path, NULL, &deaf, &store, err));
    assert_ok(task_store_each(store, check_record, &count, err));
    task_store_abandon(store);
    return count;
}

/* A manager of a later version: what we do not know travels along and changes nothing, from the first word to the last. */
static void unknown_fields_are_kept_and_do_no_harm(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.has_unknown = true;
    want(&f, 0, RUNNING, "serve", NULL);
    want(&f, 1, READY, "serve", NULL);
    assign(&f);
    run(&f, 10);
    assert_int_equal(f.told[0].state, RUNNING);
    assert_int_equal(f.told[1].state, READY);
    for (int restarts = 0; restarts < 2; restarts++) { /* the second over a record that was written again */
        f.hcs = hcs_emulated_restart(f.hcs, f.now_ns, wall_ns(&f));
        worker_abandon(f.worker);
        assignments_free(f.assignments);
        assert_int_equal(records_with_unknown_fields(&f), 2);
        open_worker(&f);
        run(&f, 10);
        assert_int_equal(f.told[0].state, RUNNING);
        f.desired[1] = RUNNING;
        assign(&f);
        run(&f, 10);
        assert_int_equal(f.told[1].state, RUNNING);
    }
    struct worker_stats stats;
    worker_stats(f.worker, &stats);
    assert_int_equal(stats.disturbed, 0);
    assert_int_equal(systems(&f), 2);
    remove_all_leaves_nothing(&f);
    assert_true(f.told[0].is_forgotten && f.told[1].is_forgotten);
    tear_down(&f);
}

/* --- on a real loop --- */

struct live {
    struct fixture f;
    uv_loop_t loop;
    uv_timer_t guard;
    bool is_freed;
};

static void on_live_freed(void *ctx)
{
    ((struct live *)ctx)->is_freed = true;
}

static void on_all_removed(void *ctx, const struct error *err)
{
    struct live *live = ctx;
    assert_null(err);
    worker_free(live->f.worker, on_live_freed, live);
}

static void on_live_status(void *ctx, const char *task_id, const Docker__Swarmkit__V1__TaskStatus *status)
{
    struct live *live = ctx;
    on_status(&live->f, task_id, status);
    for (int i = 0; i < TASKS; i++)
        if (live->f.told[i].state != RUNNING)
            return;
    worker_remove_all(live->f.worker, on_all_removed, live);
}

static void on_live_forgotten(void *ctx, const char *task_id)
{
    on_forgotten(&((struct live *)ctx)->f, task_id);
}

static void on_guard(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened for 20 s");
}

static void close_guard(void *ctx)
{
    uv_close((uv_handle_t *)ctx, NULL);
}

static void runs_by_itself_on_a_loop(void **state)
{
    struct live live = {.is_freed = false};
    struct fixture *f = &live.f;
    (void)state;
    set_up(f);
    worker_free(f->worker, NULL, NULL);
    hcs_close(f->hcs, NULL, NULL);
    const struct hcs_emulated_options host = {.random = random_from_seeded(&f->host_seed)};
    assert_ok(hcs_emulated_new(&host, 0, 1, &f->hcs, err));
    uv_loop_init(&live.loop);
    hcs_emulated_run_on(f->hcs, &live.loop);
    const struct worker_options options = {.loop = &live.loop,
                                           .clock = clock_system(),
                                           .random = random_system(),
                                           .state_dir = f->dir,
                                           .hcs = f->hcs,
                                           .images = f->images,
                                           .default_isolation = ISOLATION_PROCESS,
                                           .listener = {.on_status = on_live_status, .on_forgotten = on_live_forgotten, .ctx = &live}};
    assert_ok(worker_new(&options, &f->worker, err));
    worker_set_node(f->worker, "node1", "host1", "x86_64", "linux");
    worker_start(f->worker, f->assignments);
    for (int i = 0; i < TASKS; i++)
        want(f, i, RUNNING, "serve", NULL);
    assign(f);
    uv_timer_init(&live.loop, &live.guard);
    uv_timer_start(&live.guard, on_guard, 20000, 0);
    while (!live.is_freed)
        uv_run(&live.loop, UV_RUN_ONCE);
    hcs_close(f->hcs, close_guard, &live.guard);
    uv_run(&live.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&live.loop), 0);
    for (int i = 0; i < TASKS; i++)
        assert_true(f->told[i].is_forgotten);
    assert_int_equal(f->pins, 0);
    assignments_free(f->assignments);
    assert_ok(file_remove_tree(f->dir, err));
}

/* --- a disk that does not answer: every thread that would write is held --- */

enum { HELD_COUNT = 128 }; /* more than libuv may have */

struct stuck {
    struct fixture f;
    uv_loop_t loop;
    uv_sem_t gate;
    uv_work_t held[HELD_COUNT];
};

static void wait_at_gate(uv_work_t *work)
{
    uv_sem_wait(&((struct stuck *)work->data)->gate);
}

static void passed_gate(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

static void hold_disk(struct stuck *stuck)
{
    for (size_t i = 0; i < HELD_COUNT; i++) {
        stuck->held[i].data = stuck;
        uv_queue_work(&stuck->loop, &stuck->held[i], wait_at_gate, passed_gate);
    }
}

static void free_disk(struct stuck *stuck)
{
    for (size_t i = 0; i < HELD_COUNT; i++)
        uv_sem_post(&stuck->gate);
}

static void open_stuck_worker(struct stuck *stuck)
{
    struct fixture *f = &stuck->f;
    const struct worker_options options = {.loop = &stuck->loop,
                                           .clock = {clock_ns, wall_ns, f},
                                           .random = random_from_seeded(&f->seed),
                                           .state_dir = f->dir,
                                           .hcs = f->hcs,
                                           .images = f->images,
                                           .default_isolation = ISOLATION_PROCESS,
                                           .listener = {.on_status = on_status, .on_forgotten = on_forgotten, .ctx = f}};
    assert_ok(worker_new(&options, &f->worker, err));
    worker_set_node(f->worker, "node1", "host1", "x86_64", "linux");
    worker_start(f->worker, f->assignments);
}

static void set_up_stuck(struct stuck *stuck)
{
    set_up(&stuck->f);
    worker_free(stuck->f.worker, NULL, NULL);
    uv_loop_init(&stuck->loop);
    uv_sem_init(&stuck->gate, 0);
    open_stuck_worker(stuck);
}

static void tear_down_stuck(struct stuck *stuck)
{
    worker_free(stuck->f.worker, NULL, NULL);
    uv_run(&stuck->loop, UV_RUN_DEFAULT);
    hcs_close(stuck->f.hcs, NULL, NULL);
    assert_int_equal(uv_loop_close(&stuck->loop), 0);
    uv_sem_destroy(&stuck->gate);
    assignments_free(stuck->f.assignments);
    assert_ok(file_remove_tree(stuck->f.dir, err));
}

/* Virtual seconds; what the disk can do meanwhile is done. */
static void run_stuck(struct stuck *stuck, unsigned seconds)
{
    struct fixture *f = &stuck->f;
    for (unsigned i = 0; i < seconds * 20; i++) {
        f->now_ns += NS_PER_S / 20;
        hcs_emulated_step(f->hcs, f->now_ns, wall_ns(f));
        worker_tick(f->worker);
        uv_run(&stuck->loop, UV_RUN_NOWAIT);
    }
}

static void run_stuck_until(struct stuck *stuck, int i, int state)
{
    for (unsigned turns = 0; stuck->f.told[i].state != state; turns++) {
        if (turns > 2000)
            fail_msg("task %d is in %d", i, stuck->f.told[i].state);
        run_stuck(stuck, 1);
        uv_sleep(1);
    }
}

static void exit_is_told_though_the_disk_hangs(void **state)
{
    struct stuck stuck = {.loop = {0}};
    struct fixture *f = &stuck.f;
    (void)state;
    set_up_stuck(&stuck);
    want(f, 0, RUNNING, "serve", NULL);
    assign(f);
    run_stuck_until(&stuck, 0, RUNNING);
    hold_disk(&stuck);
    assert_ok(hcs_emulated_exit(f->hcs, f->told[0].container, 7, false, err));
    want(f, 1, RUNNING, "serve", NULL);
    assign(f);
    run_stuck(&stuck, 5);
    assert_int_equal(f->told[0].state, RUNNING); /* on disk first, as long as there is hope */
    run_stuck(&stuck, 10);
    assert_int_equal(f->told[0].state, FAILED);
    assert_string_equal(f->told[0].err, "task: non-zero exit (7)");
    assert_int_equal(f->told[1].state, 0);
    run_stuck(&stuck, 70);
    assert_int_equal(f->told[1].state, REJECTED); /* the swarm shall place it elsewhere */
    assert_string_equal(f->told[1].err, "the node cannot keep the task: its disk does not answer");
    free_disk(&stuck);
    tear_down_stuck(&stuck);
}

/* The first record is on its way to the disk when the task is updated: the record is written again. */
static void update_during_the_first_write_is_kept(void **state)
{
    struct stuck stuck = {.loop = {0}};
    struct fixture *f = &stuck.f;
    struct worker_task task;
    (void)state;
    set_up_stuck(&stuck);
    run_stuck(&stuck, 1);
    hold_disk(&stuck);
    want(f, 0, RUNNING, "serve", NULL);
    assign(f);
    run_stuck(&stuck, 1);
    f->desired[0] = SHUTDOWN;
    assign(f);
    worker_free(f->worker, NULL, NULL);
    free_disk(&stuck);
    uv_run(&stuck.loop, UV_RUN_DEFAULT);
    open_stuck_worker(&stuck);
    assert_true(worker_find(f->worker, f->ids[0], &task));
    assert_int_equal(task.desired_state, SHUTDOWN);
    tear_down_stuck(&stuck);
}

int main(void)
{
    log_init(LOG_TEXT, LOG_ERROR, stderr);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_runs_and_is_removed),
        cmocka_unit_test(who_is_cut_off_stops_what_must_not_run_twice),
        cmocka_unit_test(the_next_of_a_slot_starts_when_the_copy_has_stopped),
        cmocka_unit_test(a_drained_worker_stops_all_and_begins_nothing),
        cmocka_unit_test(who_starts_cut_off_counts_from_there),
        cmocka_unit_test(ready_is_as_far_as_desired),
        cmocka_unit_test(exits_are_told_as_dockerd_does),
        cmocka_unit_test(removals_of_images_and_containers_keep_out_of_each_other_s_way),
        cmocka_unit_test(missing_image_rejects_with_the_cause),
        cmocka_unit_test(failing_start_is_failed_with_its_cause),
        cmocka_unit_test(healthy_before_running),
        cmocka_unit_test(unhealthy_from_the_start_never_runs),
        cmocka_unit_test(resumed_preparing_waits_for_the_first_complete),
        cmocka_unit_test(slow_create_is_not_rejected),
        cmocka_unit_test(slow_start_with_a_health_check_comes_to_rest),
        cmocka_unit_test(exit_while_down_is_seen_after_restart),
        cmocka_unit_test(lost_exit_is_found),
        cmocka_unit_test(faults_end_well),
        cmocka_unit_test(stops_end_in_spite_of_faults),
        cmocka_unit_test(failed_leave_tells_what_became_of_the_tasks),
        cmocka_unit_test(kill_at_every_step),
        cmocka_unit_test(lost_database_adopts_what_is_assigned),
        cmocka_unit_test(nothing_is_acknowledged_that_is_not_on_disk),
        cmocka_unit_test(unknown_fields_are_kept_and_do_no_harm),
        cmocka_unit_test(runs_by_itself_on_a_loop),
        cmocka_unit_test(exit_is_told_though_the_disk_hangs),
        cmocka_unit_test(update_during_the_first_write_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
