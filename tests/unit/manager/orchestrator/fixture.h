/* tests/unit/manager/orchestrator/fixture.h – a swarm in virtual time: the store with a log in memory, the parts under test, a scheduler
 * that takes the emptiest node, and agents that do what is desired of their tasks at once.
 *
 *     struct swarm swarm;
 *     swarm_begin(&swarm, 3);                          // nodes n0, n1, n2
 *     struct spec spec;
 *     spec_init(&spec, "web", 3);
 *     swarm_create(&swarm, &spec);                     // runs until nothing moves
 *     assert_int_equal(swarm_count(&swarm, "web", STATE(RUNNING), STATE(RUNNING)), 3);
 *     swarm_end(&swarm); */
#ifndef SKEP_TESTS_UNIT_MANAGER_ORCHESTRATOR_FIXTURE_H
#define SKEP_TESTS_UNIT_MANAGER_ORCHESTRATOR_FIXTURE_H

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/orchestrator/allocator.h"
#include "manager/orchestrator/enforcer.h"
#include "manager/orchestrator/orchestrator.h"
#include "manager/scheduler/fit.h"
#include "tests/unit/manager/store/fixture.h"

#define STATE(name)        DOCKER__SWARMKIT__V1__TASK_STATE__##name
#define NODE_STATE(name)   DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__##name
#define AVAILABILITY(name) DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__##name
#define UPDATE_STATE(name) DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__##name

typedef Docker__Swarmkit__V1__Task task_type;
typedef Docker__Swarmkit__V1__Service service_type;
typedef Docker__Swarmkit__V1__Node node_type;

#define SWARM_PARTS 8

struct swarm {
    struct world world;
    struct random_seeded seed;
    struct part_host host;
    struct part parts[SWARM_PARTS];
    size_t parts_count;
    uint64_t now_ns;
    bool is_woken, is_changed;
    bool agents_idle; /* agents do nothing */
    bool scheduler_idle;
    const char *fails_image;                                 /* tasks of this image fail when they are to run */
    const char *fails_prepare;                               /* … are rejected when they are prepared */
    bool jobs_complete;                                      /* running tasks that are to complete do */
    bool stops_slowly;                                       /* running tasks that are to stop do not */
    int (*fate)(struct swarm *swarm, const task_type *task); /* NULL; else the state a running task gets, 0: it stays */
    uint64_t spec_version;
    char lost_nodes[256]; /* ids between spaces: their agents reach nobody */
};

static inline int64_t swarm_wall(void *self)
{
    return ((struct swarm *)self)->world.wall_ns;
}

static inline uint64_t swarm_monotonic(void *self)
{
    return ((struct swarm *)self)->now_ns;
}

static inline void swarm_wake(void *self)
{
    ((struct swarm *)self)->is_woken = true;
}

static inline bool swarm_fits(void *self, const node_type *node, const Docker__Swarmkit__V1__Placement *placement)
{
    struct error err = {0};
    struct fit fit;
    (void)self;
    fit_init(&fit, node);
    bool fits = fit_constraints(&fit, placement, &err) == 0;
    fit_deinit(&fit);
    return fits;
}

static inline bool swarm_is_lost(const struct swarm *swarm, const char *node_id)
{
    char word[64];
    snprintf(word, sizeof word, " %s ", node_id);
    return strstr(swarm->lost_nodes, word) != NULL;
}

/* --- nodes --- */

static inline void swarm_add_node(struct swarm *swarm, const char *id)
{
    node_type *message = node(id, id);
    Docker__Swarmkit__V1__NodeStatus status = DOCKER__SWARMKIT__V1__NODE_STATUS__INIT;
    status.state = NODE_STATE(READY);
    message->status = &status;
    do_create(&swarm->world, message);
}

static inline void swarm_start_parts(struct swarm *swarm)
{
    struct orchestrator_rules rules = {.node_fits = swarm_fits};
    swarm->parts_count = 0;
    swarm->parts[swarm->parts_count++] = orchestrator_new(&swarm->host, &rules);
    swarm->parts[swarm->parts_count++] = allocator_new(&swarm->host);
    swarm->parts[swarm->parts_count++] = enforcer_new(&swarm->host);
    swarm->is_woken = true;
}

static inline void swarm_stop_parts(struct swarm *swarm)
{
    world_settle(&swarm->world);
    for (size_t i = 0; i < swarm->parts_count; i++)
        swarm->parts[i].free(swarm->parts[i].self);
    swarm->parts_count = 0;
}

static inline void swarm_begin(struct swarm *swarm, unsigned nodes)
{
    char id[16];
    memset(swarm, 0, sizeof *swarm);
    world_begin(&swarm->world);
    swarm->now_ns = 1000 * NS_PER_S;
    random_seeded_init(&swarm->seed, 5);
    swarm->host = (struct part_host){.store = swarm->world.store,
                                     .clock = {swarm_monotonic, swarm_wall, swarm},
                                     .random = random_from_seeded(&swarm->seed),
                                     .wake = swarm_wake,
                                     .self = swarm};
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(id, sizeof id, "n%u", i);
        swarm_add_node(swarm, id);
    }
    swarm_start_parts(swarm);
}

static inline void swarm_end(struct swarm *swarm)
{
    swarm_stop_parts(swarm);
    world_end(&swarm->world);
}

/* --- the others of the swarm: one writer over all tasks --- */

static inline int swarm_put_status(struct store_tx *tx, const task_type *old, int state, const char *node_id, struct error *err)
{
    task_type changed = *old;
    Docker__Swarmkit__V1__TaskStatus status = *old->status;
    Google__Protobuf__Timestamp timestamp;
    message_set_timestamp(&timestamp, store_tx_wall_ns(tx));
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    status.timestamp = &timestamp;
    status.err = (char *)(uintptr_t) "";
    changed.status = &status;
    if (node_id)
        changed.node_id = (char *)(uintptr_t)node_id;
    return store_tx_update(tx, &changed.base, err);
}

static inline bool swarm_node_is_up(const node_type *node)
{
    return node->status && node->status->state == NODE_STATE(READY);
}

static inline const char *swarm_choose_node(struct swarm *swarm, struct store_tx *tx, const task_type *task)
{
    struct store_cursor cursor, tasks;
    const node_type *node, *best = NULL;
    const task_type *other;
    size_t best_count = 0;
    store_tx_find(tx, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((node = (const void *)store_next(&cursor)) != NULL) {
        size_t count = 0;
        if (!swarm_node_is_up(node) || node->spec->availability != AVAILABILITY(ACTIVE) || !swarm_fits(NULL, node, task->spec->placement))
            continue;
        store_tx_find(tx, STORE_TASK, STORE_BY_NODE, node->id, &tasks);
        while ((other = (const void *)store_next(&tasks)) != NULL)
            count += other->desired_state <= STATE(COMPLETE) && other->status->state <= STATE(RUNNING);
        if (best == NULL || count < best_count) {
            best = node;
            best_count = count;
        }
    }
    (void)swarm;
    return best ? best->id : NULL;
}

static inline int swarm_next_state(struct swarm *swarm, const task_type *task)
{
    int state = (int)task->status->state, desired = (int)task->desired_state;
    const char *image = task->spec->runtime_case == DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER ? task->spec->container->image : "";
    if (state > STATE(RUNNING))
        return 0;
    if (desired >= STATE(SHUTDOWN))
        return swarm->stops_slowly && state == STATE(RUNNING) ? 0 : STATE(SHUTDOWN);
    if (state < STATE(READY))
        return swarm->fails_prepare && strcmp(image, swarm->fails_prepare) == 0 ? STATE(REJECTED) : STATE(READY);
    if (state < STATE(RUNNING) && desired >= STATE(RUNNING))
        return swarm->fails_image && strcmp(image, swarm->fails_image) == 0 ? STATE(FAILED) : STATE(RUNNING);
    if (state == STATE(RUNNING) && desired == STATE(COMPLETE) && swarm->jobs_complete)
        return STATE(COMPLETE);
    if (state == STATE(RUNNING) && swarm->fate)
        return swarm->fate(swarm, task);
    return 0;
}

/* What the task's agent makes of it now; 0: nothing. */
static inline int swarm_agents_state(struct swarm *swarm, struct store_tx *tx, const task_type *task)
{
    bool is_agents = task->status->state >= STATE(ASSIGNED) && task->node_id[0] && !swarm_is_lost(swarm, task->node_id);
    const node_type *on = is_agents && !swarm->agents_idle ? store_tx_node(tx, task->node_id) : NULL;
    return on && swarm_node_is_up(on) ? swarm_next_state(swarm, task) : 0;
}

static inline int swarm_act_fn(struct store_tx *tx, void *ctx, struct error *err)
{
    struct swarm *swarm = ctx;
    struct store_cursor cursor;
    const task_type *task, *todo[STORE_ACTIONS_COUNT];
    size_t count = 0;
    int failed = 0, next[STORE_ACTIONS_COUNT];
    store_tx_find(tx, STORE_TASK, STORE_ALL, NULL, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL && count < STORE_ACTIONS_COUNT) {
        bool is_unassigned = task->status->state == STATE(PENDING) && task->desired_state <= STATE(COMPLETE);
        if ((is_unassigned && !swarm->scheduler_idle) || (next[count] = swarm_agents_state(swarm, tx, task)) != 0)
            todo[count++] = task;
    }
    swarm->is_changed = false;
    for (size_t i = 0; i < count && failed == 0; i++) {
        const char *node_id = NULL;
        if (todo[i]->status->state == STATE(PENDING)) {
            node_id = todo[i]->node_id[0] ? todo[i]->node_id : swarm_choose_node(swarm, tx, todo[i]);
            next[i] = node_id ? STATE(ASSIGNED) : 0;
        }
        if (next[i]) {
            failed = swarm_put_status(tx, todo[i], next[i], node_id, err);
            swarm->is_changed = true;
        }
    }
    return failed;
}

static inline void swarm_done(void *ctx, const struct error *err)
{
    (void)ctx;
    if (err)
        fail_msg("a write of the test failed: %s", err->message);
}

/* --- running --- */

static inline uint64_t swarm_deadline(const struct swarm *swarm)
{
    uint64_t deadline = PART_NEVER;
    for (size_t i = 0; i < swarm->parts_count; i++) {
        uint64_t at = swarm->parts[i].deadline_ns(swarm->parts[i].self);
        deadline = at < deadline ? at : deadline;
    }
    return deadline;
}

static inline bool swarm_step(struct swarm *swarm)
{
    bool was_woken = swarm->is_woken, is_due = swarm_deadline(swarm) <= swarm->now_ns;
    swarm->is_woken = false;
    for (size_t i = 0; (was_woken || is_due) && i < swarm->parts_count; i++)
        swarm->parts[i].step(swarm->parts[i].self, swarm->now_ns);
    world_settle(&swarm->world);
    store_update(swarm->world.store, swarm_act_fn, swarm_done, swarm);
    world_settle(&swarm->world);
    return swarm->is_changed || swarm->is_woken || swarm_deadline(swarm) <= swarm->now_ns;
}

static inline void swarm_run(struct swarm *swarm)
{
    for (unsigned i = 0; swarm_step(swarm); i++)
        if (i > 10000)
            fail_msg("the swarm does not come to rest");
}

/* What is due meanwhile happens at its time. */
static inline void swarm_pass_ns(struct swarm *swarm, uint64_t ns)
{
    uint64_t end = swarm->now_ns + ns;
    swarm_run(swarm);
    for (;;) {
        uint64_t at = swarm_deadline(swarm);
        at = at < end ? at : end;
        swarm->world.wall_ns += (int64_t)(at - swarm->now_ns);
        swarm->now_ns = at;
        swarm_run(swarm);
        if (at == end)
            return;
    }
}

#define swarm_pass_ms(swarm, ms) swarm_pass_ns(swarm, (ms)*NS_PER_MS)
#define swarm_pass_s(swarm, s)   swarm_pass_ns(swarm, (s)*NS_PER_S)

/* --- services --- */

struct spec {
    Docker__Swarmkit__V1__ServiceSpec spec;
    Docker__Swarmkit__V1__Annotations annotations;
    Docker__Swarmkit__V1__Annotations__LabelsEntry labels[4], *labels_list[4];
    Docker__Swarmkit__V1__TaskSpec task;
    Docker__Swarmkit__V1__ContainerSpec container;
    Docker__Swarmkit__V1__RestartPolicy restart; /* spec.task.restart points here when used */
    Google__Protobuf__Duration restart_delay, restart_window;
    Docker__Swarmkit__V1__Placement placement;
    char *constraints[4];
    Docker__Swarmkit__V1__ReplicatedService replicated;
    Docker__Swarmkit__V1__GlobalService global;
    Docker__Swarmkit__V1__ReplicatedJob replicated_job;
    Docker__Swarmkit__V1__GlobalJob global_job;
    Docker__Swarmkit__V1__UpdateConfig update, rollback;
    Google__Protobuf__Duration update_delay, update_monitor, rollback_delay, rollback_monitor;
    Docker__Swarmkit__V1__EndpointSpec endpoint;
    Docker__Swarmkit__V1__PortConfig port, *ports[1];
    Docker__Swarmkit__V1__NetworkAttachmentConfig network, *networks[1];
};

static inline char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* A replicated service; its id is its name. */
static inline void spec_init(struct spec *spec, const char *name, uint64_t replicas)
{
    memset(spec, 0, sizeof *spec);
    docker__swarmkit__v1__service_spec__init(&spec->spec);
    docker__swarmkit__v1__annotations__init(&spec->annotations);
    docker__swarmkit__v1__task_spec__init(&spec->task);
    docker__swarmkit__v1__container_spec__init(&spec->container);
    docker__swarmkit__v1__restart_policy__init(&spec->restart);
    docker__swarmkit__v1__placement__init(&spec->placement);
    docker__swarmkit__v1__replicated_service__init(&spec->replicated);
    docker__swarmkit__v1__global_service__init(&spec->global);
    docker__swarmkit__v1__replicated_job__init(&spec->replicated_job);
    docker__swarmkit__v1__global_job__init(&spec->global_job);
    docker__swarmkit__v1__update_config__init(&spec->update);
    docker__swarmkit__v1__update_config__init(&spec->rollback);
    docker__swarmkit__v1__endpoint_spec__init(&spec->endpoint);
    docker__swarmkit__v1__port_config__init(&spec->port);
    docker__swarmkit__v1__network_attachment_config__init(&spec->network);
    spec->restart.condition = DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY;
    spec->spec.annotations = &spec->annotations;
    spec->annotations.name = word(name);
    spec->spec.task = &spec->task;
    spec->task.runtime_case = DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER;
    spec->task.container = &spec->container;
    spec->container.image = word("image:1");
    spec->spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED;
    spec->spec.replicated = &spec->replicated;
    spec->replicated.replicas = replicas;
}

static inline void spec_global(struct spec *spec)
{
    spec->spec.mode_case = DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL;
    spec->spec.global = &spec->global;
}

static inline void spec_label(struct spec *spec, const char *key, const char *value)
{
    Docker__Swarmkit__V1__Annotations__LabelsEntry *label = &spec->labels[spec->annotations.n_labels];
    docker__swarmkit__v1__annotations__labels_entry__init(label);
    label->key = word(key);
    label->value = word(value);
    spec->labels_list[spec->annotations.n_labels++] = label;
    spec->annotations.labels = spec->labels_list;
}

static inline void spec_constraint(struct spec *spec, const char *constraint)
{
    spec->task.placement = &spec->placement;
    spec->placement.constraints = spec->constraints;
    spec->constraints[spec->placement.n_constraints++] = word(constraint);
}

static inline void spec_restart(struct spec *spec, int condition, int64_t delay_s, uint64_t max_attempts)
{
    spec->task.restart = &spec->restart;
    spec->restart.condition = (Docker__Swarmkit__V1__RestartPolicy__RestartCondition)condition;
    message_set_duration(&spec->restart_delay, delay_s * (int64_t)NS_PER_S);
    spec->restart.delay = &spec->restart_delay;
    spec->restart.max_attempts = max_attempts;
}

#define RESTART_NONE       DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__NONE
#define RESTART_ON_FAILURE DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ON_FAILURE
#define RESTART_ANY        DOCKER__SWARMKIT__V1__RESTART_POLICY__RESTART_CONDITION__ANY

static inline void swarm_create(struct swarm *swarm, struct spec *spec)
{
    service_type message;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__JobStatus job = DOCKER__SWARMKIT__V1__JOB_STATUS__INIT;
    Docker__Swarmkit__V1__Version iteration = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Google__Protobuf__Timestamp now;
    docker__swarmkit__v1__service__init(&message);
    message.id = spec->annotations.name;
    message.spec = &spec->spec;
    version.index = ++swarm->spec_version;
    message.spec_version = &version;
    job.job_iteration = &iteration;
    message_set_timestamp(&now, swarm->world.wall_ns);
    job.last_execution = &now;
    if (spec->spec.mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_REPLICATED_JOB ||
        spec->spec.mode_case == DOCKER__SWARMKIT__V1__SERVICE_SPEC__MODE_GLOBAL_JOB)
        message.job_status = &job;
    do_create(&swarm->world, &message);
    swarm_run(swarm);
}

/* As the control API: the spec that was there becomes the previous one, and the update's status is cleared. */
static inline void swarm_change(struct swarm *swarm, struct spec *spec)
{
    service_type message = *store_service(swarm->world.store, spec->annotations.name);
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT, iteration = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__JobStatus job = DOCKER__SWARMKIT__V1__JOB_STATUS__INIT;
    Google__Protobuf__Timestamp now;
    swarm->world.wall_ns += 1000; /* so that a slot's tasks have an order */
    message.previous_spec = message.spec;
    message.previous_spec_version = message.spec_version;
    message.spec = &spec->spec;
    version.index = ++swarm->spec_version;
    message.spec_version = &version;
    message.update_status = NULL;
    if (message.job_status) {
        iteration.index = message.job_status->job_iteration->index + 1;
        job.job_iteration = &iteration;
        message_set_timestamp(&now, swarm->world.wall_ns);
        job.last_execution = &now;
        message.job_status = &job;
    }
    do_update(&swarm->world, &message);
}

static inline void swarm_update(struct swarm *swarm, struct spec *spec)
{
    swarm_change(swarm, spec);
    swarm_run(swarm);
}

static inline void swarm_remove(struct swarm *swarm, const char *service_id)
{
    do_remove(&swarm->world, STORE_SERVICE, service_id);
    swarm_run(swarm);
}

/* --- nodes change --- */

static inline void swarm_set_node(struct swarm *swarm, const char *id, int state, int availability)
{
    node_type message = *store_node(swarm->world.store, id);
    Docker__Swarmkit__V1__NodeStatus status = *message.status;
    Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
    status.state = (Docker__Swarmkit__V1__NodeStatus__State)state;
    spec.availability = (Docker__Swarmkit__V1__NodeSpec__Availability)availability;
    message.status = &status;
    message.spec = &spec;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

/* The network to the node is cut, and the managers notice; or is there again. */
static inline void swarm_lose_node(struct swarm *swarm, const char *id)
{
    size_t used = strlen(swarm->lost_nodes);
    snprintf(swarm->lost_nodes + used, sizeof swarm->lost_nodes - used, " %s ", id);
    swarm_set_node(swarm, id, NODE_STATE(DOWN), (int)store_node(swarm->world.store, id)->spec->availability);
}

static inline void swarm_return_node(struct swarm *swarm, const char *id)
{
    char text[64];
    snprintf(text, sizeof text, " %s ", id);
    char *at = strstr(swarm->lost_nodes, text);
    if (at)
        memmove(at, at + strlen(text), strlen(at + strlen(text)) + 1);
    swarm_set_node(swarm, id, NODE_STATE(READY), (int)store_node(swarm->world.store, id)->spec->availability);
}

static inline void swarm_drain(struct swarm *swarm, const char *id, int availability)
{
    swarm_set_node(swarm, id, (int)store_node(swarm->world.store, id)->status->state, availability);
}

static inline void swarm_label_node(struct swarm *swarm, const char *id, const char *zone)
{
    node_type message = *store_node(swarm->world.store, id);
    Docker__Swarmkit__V1__NodeSpec spec = *message.spec;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Annotations__LabelsEntry label = DOCKER__SWARMKIT__V1__ANNOTATIONS__LABELS_ENTRY__INIT, *labels[] = {&label};
    label.key = word("zone");
    label.value = word(zone);
    annotations.labels = labels;
    annotations.n_labels = 1;
    spec.annotations = &annotations;
    message.spec = &spec;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

/* --- tasks --- */

static inline void swarm_set_state(struct swarm *swarm, const char *task_id, int state)
{
    swarm->world.wall_ns += 1000; /* so that a slot's tasks have an order */
    task_type message = *store_task(swarm->world.store, task_id);
    Docker__Swarmkit__V1__TaskStatus status = *message.status;
    Google__Protobuf__Timestamp timestamp;
    message_set_timestamp(&timestamp, swarm->world.wall_ns);
    status.state = (Docker__Swarmkit__V1__TaskState)state;
    status.timestamp = &timestamp;
    message.status = &status;
    do_update(&swarm->world, &message);
    swarm_run(swarm);
}

/* How many of a service's tasks are in this state and wanted so; -1: any. */
static inline int swarm_count(const struct swarm *swarm, const char *service_id, int desired, int state)
{
    struct store_cursor cursor;
    const task_type *task;
    int count = 0;
    store_find(swarm->world.store, STORE_TASK, STORE_BY_SERVICE, service_id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        count += (desired < 0 || (int)task->desired_state == desired) && (state < 0 || (int)task->status->state == state);
    return count;
}

/* The @nth (from 0) of a slot's tasks, the newest first, or -1 for any slot: ids are made anew each run, so tests go by place. */
static inline const task_type *swarm_task(const struct swarm *swarm, const char *service_id, int64_t slot, unsigned nth)
{
    struct store_cursor cursor;
    const task_type *task, *found[256];
    size_t count = 0;
    store_find(swarm->world.store, STORE_TASK, STORE_BY_SERVICE, service_id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL && count < 256)
        if (slot < 0 || task->slot == (uint64_t)slot)
            found[count++] = task;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            int64_t left = message_timestamp_ns(found[i]->meta->created_at, 0), right = message_timestamp_ns(found[j]->meta->created_at, 0);
            if (left < right) {
                task = found[i];
                found[i] = found[j];
                found[j] = task;
            }
        }
    return nth < count ? found[nth] : NULL;
}

static inline const task_type *swarm_task_on(const struct swarm *swarm, const char *service_id, const char *node_id, int desired)
{
    struct store_cursor cursor;
    const task_type *task;
    store_find(swarm->world.store, STORE_TASK, STORE_BY_SERVICE, service_id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        if (strcmp(task->node_id, node_id) == 0 && (desired < 0 || (int)task->desired_state == desired))
            return task;
    return NULL;
}

static inline const service_type *swarm_service(const struct swarm *swarm, const char *id)
{
    return store_service(swarm->world.store, id);
}

/* A copy of an id that outlives the task. */
#define KEEP_ID(name, task)                                                                                                                \
    char name[ID_SIZE_CHARS + 1];                                                                                                          \
    snprintf(name, sizeof(name), "%s", (task)->id)

#endif
