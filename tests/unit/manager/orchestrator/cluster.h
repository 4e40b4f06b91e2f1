/* tests/unit/manager/orchestrator/cluster.h – the swarm of fixture.h with the real dispatcher, and hosts that reach it as agents do: they
 * register, beat, follow their assignments, run what these say and report it. What is to stop takes HOST_STOP_MS for it. A host that is cut
 * off goes on running what it has.
 *
 *     struct cluster cluster;
 *     cluster_begin(&cluster, 3);                         // n0, n1, n2, ready
 *     swarm_create(&cluster.swarm, &spec);
 *     cluster_pass_s(&cluster, 5);
 *     assert_int_equal(cluster_containers(&cluster, "web", "image:1"), 3);
 *     cluster_cut(&cluster, "n1");
 *     cluster_end(&cluster); */
#ifndef SKEP_TESTS_UNIT_MANAGER_ORCHESTRATOR_CLUSTER_H
#define SKEP_TESTS_UNIT_MANAGER_ORCHESTRATOR_CLUSTER_H

#include "base/hash.h"
#include "manager/dispatcher/dispatcher.h"
#include "tests/unit/manager/orchestrator/fixture.h"

#define CLUSTER_HOSTS 6
#define HOST_STOP_MS  1000

/* A task as its host knows it. */
struct container {
    UT_hash_handle hh;
    int state, desired;
    bool is_assigned, is_told;
    uint64_t slot, stopped_ns; /* when it has stopped; 0: it was not told to */
    char id[ID_SIZE_CHARS + 1], service_id[ID_SIZE_CHARS + 1], image[32];
};

struct host {
    struct cluster *cluster;
    char id[16], session_id[64];
    bool is_cut;
    struct dispatcher_session *session;
    struct dispatcher_assignments *stream;
    uint64_t beat_ns; /* its next heartbeat */
    struct container *containers;
};

struct cluster {
    struct swarm swarm;
    struct dispatcher *dispatcher;
    struct host hosts[CLUSTER_HOSTS];
    unsigned hosts_count;
    const char *watched;            /* a service of which at every moment … */
    int least_running, most_copies; /* … so many containers run, and no more in any slot */
};

/* --- what runs --- */

static inline bool container_runs(const struct container *container)
{
    return container->state == STATE(RUNNING);
}

/* On all hosts, also those that are cut off. @image NULL: any. */
static inline int cluster_containers(const struct cluster *cluster, const char *service_id, const char *image)
{
    int count = 0;
    for (unsigned i = 0; i < cluster->hosts_count; i++)
        for (const struct container *container = cluster->hosts[i].containers; container; container = container->hh.next)
            count += container_runs(container) && strcmp(container->service_id, service_id) == 0 &&
                     (image == NULL || strcmp(container->image, image) == 0);
    return count;
}

static inline int cluster_copies(const struct cluster *cluster, const char *service_id, uint64_t slot)
{
    int count = 0;
    for (unsigned i = 0; i < cluster->hosts_count; i++)
        for (const struct container *container = cluster->hosts[i].containers; container; container = container->hh.next)
            count += container_runs(container) && strcmp(container->service_id, service_id) == 0 && container->slot == slot;
    return count;
}

static inline bool cluster_runs(const struct cluster *cluster, const char *task_id)
{
    struct container *container;
    for (unsigned i = 0; i < cluster->hosts_count; i++) {
        HASH_FIND_STR(cluster->hosts[i].containers, task_id, container);
        if (container && container_runs(container))
            return true;
    }
    return false;
}

static inline void cluster_check(const struct cluster *cluster)
{
    if (cluster->watched == NULL)
        return;
    int running = cluster_containers(cluster, cluster->watched, NULL);
    if (running < cluster->least_running)
        fail_msg("only %d containers of %s run", running, cluster->watched);
    for (uint64_t slot = 1; slot <= 20; slot++)
        if (cluster_copies(cluster, cluster->watched, slot) > cluster->most_copies)
            fail_msg("%d containers run in slot %d of %s", cluster_copies(cluster, cluster->watched, slot), (int)slot, cluster->watched);
}

/* --- what a host is told --- */

static inline void host_take_task(struct host *host, const task_type *task, bool is_removal)
{
    struct container *container;
    HASH_FIND_STR(host->containers, task->id, container);
    if (container == NULL) {
        if (is_removal)
            return;
        container = mem_alloc(sizeof *container);
        snprintf(container->id, sizeof container->id, "%s", task->id);
        snprintf(container->service_id, sizeof container->service_id, "%s", task->service_id);
        snprintf(container->image, sizeof container->image, "%s", task->spec->container->image);
        container->slot = task->slot;
        container->state = (int)task->status->state;
        HASH_ADD_STR(host->containers, id, container);
    }
    container->is_assigned = !is_removal;
    if (!is_removal) {
        assert_true((int)task->desired_state >= container->desired); /* never backwards */
        container->desired = (int)task->desired_state;
    }
}

static inline void host_drop_unassigned(struct host *host)
{
    struct container *container, *next;
    HASH_ITER (hh, host->containers, container, next)
        if (!container->is_assigned) {
            HASH_DEL(host->containers, container);
            free(container);
        }
}

static inline void host_take_assignments(struct host *host, const Docker__Swarmkit__V1__AssignmentsMessage *message)
{
    if (message->type == DOCKER__SWARMKIT__V1__ASSIGNMENTS_MESSAGE__TYPE__COMPLETE)
        for (struct container *container = host->containers; container; container = container->hh.next)
            container->is_assigned = false;
    for (size_t i = 0; i < message->n_changes; i++) {
        const Docker__Swarmkit__V1__AssignmentChange *change = message->changes[i];
        if (change->assignment->item_case == DOCKER__SWARMKIT__V1__ASSIGNMENT__ITEM_TASK)
            host_take_task(host, change->assignment->task,
                           change->action == DOCKER__SWARMKIT__V1__ASSIGNMENT_CHANGE__ASSIGNMENT_ACTION__REMOVE);
    }
    host_drop_unassigned(host);
}

static inline int host_hear(void *ctx, const ProtobufCMessage *message, struct error *err)
{
    struct host *host = ctx;
    (void)err;
    if (message->descriptor == &docker__swarmkit__v1__session_message__descriptor)
        snprintf(host->session_id, sizeof host->session_id, "%s",
                 ((const Docker__Swarmkit__V1__SessionMessage *)(const void *)message)->session_id);
    else
        host_take_assignments(host, (const void *)message);
    host->cluster->swarm.is_woken = true;
    return 0;
}

static inline void host_session_ended(void *ctx, const struct error *err)
{
    struct host *host = ctx;
    (void)err;
    host->session = NULL;
    host->session_id[0] = 0;
    host->cluster->swarm.is_woken = true;
}

static inline void host_stream_ended(void *ctx, const struct error *err)
{
    struct host *host = ctx;
    (void)err;
    host->stream = NULL;
}

/* --- what a host does --- */

static inline void host_hang_up(struct host *host)
{
    if (host->stream)
        dispatcher_assignments_close(host->stream);
    if (host->session)
        dispatcher_session_close(host->session);
    host->stream = NULL;
    host->session = NULL;
    host->session_id[0] = 0;
}

static inline void host_register(struct host *host, uint64_t now_ns)
{
    Docker__Swarmkit__V1__SessionRequest request = DOCKER__SWARMKIT__V1__SESSION_REQUEST__INIT;
    Docker__Swarmkit__V1__NodeDescription description = DOCKER__SWARMKIT__V1__NODE_DESCRIPTION__INIT;
    struct dispatcher_caller caller = {host->id, host->id};
    description.hostname = host->id;
    request.description = &description;
    request.session_id = word("");
    assert_ok(dispatcher_register(host->cluster->dispatcher, &caller, &request,
                                  &(struct dispatcher_sink){.send = host_hear, .end = host_session_ended, .ctx = host}, now_ns,
                                  &host->session, err));
    host->beat_ns = now_ns;
    for (struct container *container = host->containers; container; container = container->hh.next)
        container->is_told = false;
}

static inline void host_beat(struct host *host, uint64_t now_ns)
{
    int64_t period_ns = 0;
    if (host->beat_ns > now_ns)
        return;
    assert_ok(dispatcher_heartbeat(host->cluster->dispatcher, host->id, host->session_id, now_ns, &period_ns, err));
    host->beat_ns = now_ns + (uint64_t)period_ns;
}

static inline bool is_image(const struct container *container, const char *image)
{
    return strcmp(container->image, image) == 0;
}

/* One transition, as the table of swarmkit-wire §4.2 has them. "image:bad" fails once it runs, "image:job" completes. */
static inline int container_next(struct container *container, uint64_t now_ns)
{
    int state = container->state, desired = container->desired;
    if (state > STATE(RUNNING))
        return 0;
    if (desired >= STATE(SHUTDOWN) && state == STATE(RUNNING) && container->stopped_ns == 0)
        container->stopped_ns = now_ns + HOST_STOP_MS * NS_PER_MS;
    if (desired >= STATE(SHUTDOWN))
        return container->stopped_ns <= now_ns ? STATE(SHUTDOWN) : 0;
    if (state < STATE(ACCEPTED))
        return STATE(ACCEPTED);
    if (state < STATE(PREPARING))
        return STATE(PREPARING);
    if (state < STATE(READY))
        return STATE(READY);
    if (state == STATE(READY))
        return desired > STATE(READY) ? STATE(STARTING) : 0;
    if (state == STATE(STARTING))
        return STATE(RUNNING);
    return is_image(container, "image:bad") ? STATE(FAILED) : is_image(container, "image:job") ? STATE(COMPLETE) : 0;
}

static inline void host_report(struct host *host, struct container *container, uint64_t now_ns)
{
    Docker__Swarmkit__V1__UpdateTaskStatusRequest request = DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate update =
        DOCKER__SWARMKIT__V1__UPDATE_TASK_STATUS_REQUEST__TASK_STATUS_UPDATE__INIT;
    Docker__Swarmkit__V1__UpdateTaskStatusRequest__TaskStatusUpdate *updates[] = {&update};
    Docker__Swarmkit__V1__TaskStatus status = DOCKER__SWARMKIT__V1__TASK_STATUS__INIT;
    Google__Protobuf__Timestamp timestamp;
    message_set_timestamp(&timestamp, host->cluster->swarm.world.wall_ns);
    status.state = (Docker__Swarmkit__V1__TaskState)container->state;
    status.timestamp = &timestamp;
    update.task_id = container->id;
    update.status = &status;
    request.session_id = host->session_id;
    request.updates = updates;
    request.n_updates = 1;
    assert_ok(dispatcher_update_status(host->cluster->dispatcher, host->id, &request, now_ns, err));
    container->is_told = true;
}

static inline void host_work(struct host *host, uint64_t now_ns)
{
    for (struct container *container = host->containers; container; container = container->hh.next) {
        int next = container_next(container, now_ns);
        if (next == 0)
            continue;
        container->state = next;
        container->is_told = false;
        host->cluster->swarm.is_woken = true;
    }
}

static inline void host_talk(struct host *host, uint64_t now_ns)
{
    if (host->session == NULL)
        host_register(host, now_ns);
    if (host->session_id[0] == 0) /* the first message is on its way */
        return;
    if (host->stream == NULL)
        assert_ok(dispatcher_assignments_open(host->cluster->dispatcher, host->id, host->session_id,
                                              &(struct dispatcher_sink){.send = host_hear, .end = host_stream_ended, .ctx = host}, now_ns,
                                              &host->stream, err));
    host_beat(host, now_ns);
    for (struct container *container = host->containers; container; container = container->hh.next)
        if (!container->is_told && container->is_assigned)
            host_report(host, container, now_ns);
}

/* All hosts as one part: it is stepped, and has its heartbeats' deadlines. */
static inline void hosts_step(void *self, uint64_t now_ns)
{
    struct cluster *cluster = self;
    for (unsigned i = 0; i < cluster->hosts_count; i++) {
        host_work(&cluster->hosts[i], now_ns);
        if (!cluster->hosts[i].is_cut)
            host_talk(&cluster->hosts[i], now_ns);
    }
    cluster_check(cluster);
}

static inline uint64_t hosts_deadline(const void *self)
{
    const struct cluster *cluster = self;
    uint64_t due_ns = PART_NEVER;
    for (unsigned i = 0; i < cluster->hosts_count; i++) {
        const struct host *host = &cluster->hosts[i];
        if (!host->is_cut && host->session_id[0] && host->beat_ns < due_ns)
            due_ns = host->beat_ns;
        for (const struct container *container = host->containers; container; container = container->hh.next)
            if (container_runs(container) && container->stopped_ns && container->stopped_ns < due_ns)
                due_ns = container->stopped_ns;
    }
    return due_ns;
}

static inline void hosts_free(void *self)
{
    (void)self;
}

/* --- the whole --- */

static inline size_t cluster_managers(void *ctx, struct dispatcher_manager *out, size_t capacity)
{
    (void)ctx;
    assert_true(capacity > 0);
    out[0] = (struct dispatcher_manager){"leader", "10.0.0.1:2377"};
    return 1;
}

/* The parts of fixture.h lead already. */
static inline void cluster_join_in(struct cluster *cluster)
{
    struct swarm *swarm = &cluster->swarm;
    cluster->dispatcher =
        dispatcher_new(&(struct dispatcher_options){.host = swarm->host, .node_id = "leader", .managers = cluster_managers}, swarm->now_ns);
    swarm->parts[swarm->parts_count++] = dispatcher_part(cluster->dispatcher);
    swarm->parts[swarm->parts_count++] =
        (struct part){.name = "hosts", .step = hosts_step, .deadline_ns = hosts_deadline, .free = hosts_free, .self = cluster};
    swarm->is_woken = true;
}

#define cluster_pass_s(cluster, s) swarm_pass_s(&(cluster)->swarm, s)

static inline void cluster_begin(struct cluster *cluster, unsigned hosts)
{
    memset(cluster, 0, sizeof *cluster);
    swarm_begin(&cluster->swarm, hosts);
    cluster->swarm.agents_idle = true;
    cluster->hosts_count = hosts;
    for (unsigned i = 0; i < hosts; i++) {
        cluster->hosts[i].cluster = cluster;
        snprintf(cluster->hosts[i].id, sizeof cluster->hosts[i].id, "n%u", i);
    }
    cluster_join_in(cluster);
    cluster_pass_s(cluster, 1);
}

static inline void cluster_end(struct cluster *cluster)
{
    struct container *container, *next;
    cluster->watched = NULL;
    swarm_end(&cluster->swarm);
    for (unsigned i = 0; i < cluster->hosts_count; i++)
        HASH_ITER (hh, cluster->hosts[i].containers, container, next) {
            HASH_DEL(cluster->hosts[i].containers, container);
            free(container);
        }
}

static inline void cluster_change_leader(struct cluster *cluster)
{
    swarm_stop_parts(&cluster->swarm);
    swarm_start_parts(&cluster->swarm);
    cluster_join_in(cluster);
}

static inline struct host *cluster_host(struct cluster *cluster, const char *id)
{
    for (unsigned i = 0; i < cluster->hosts_count; i++)
        if (strcmp(cluster->hosts[i].id, id) == 0)
            return &cluster->hosts[i];
    fail_msg("there is no host %s", id);
    return NULL;
}

static inline void cluster_cut(struct cluster *cluster, const char *id)
{
    struct host *host = cluster_host(cluster, id);
    host_hang_up(host);
    host->is_cut = true;
}

static inline void cluster_mend(struct cluster *cluster, const char *id)
{
    cluster_host(cluster, id)->is_cut = false;
    cluster->swarm.is_woken = true;
}

/* What ran on it is no more. */
static inline void cluster_reboot(struct cluster *cluster, const char *id)
{
    struct host *host = cluster_host(cluster, id);
    for (struct container *container = host->containers; container; container = container->hh.next)
        if (container->state <= STATE(RUNNING)) {
            container->state = STATE(FAILED);
            container->is_told = false;
        }
}

#endif
