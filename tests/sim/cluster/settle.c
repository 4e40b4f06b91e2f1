/* tests/sim/cluster/settle.c – is all as desired? What is asked once the faults have ended: every node is READY and takes tasks; each
 * service has exactly the tasks and the containers that it asks for, of its newest spec; what was removed has none. */
#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"
#include "manager/scheduler/fit.h"
#include "tests/sim/cluster/cluster.h"

struct reason {
    char *text;
    size_t size;
};

static bool no(struct reason why, const char *format, ...) __attribute__((format(SKEP_PRINTF, 2, 3)));
static bool no(struct reason why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why.text, why.size, format, args);
    va_end(args);
    return false;
}

/* --- what there should be --- */

static bool is_eligible(const struct cluster *cluster, const struct agent *agent, const struct wish *wish)
{
    const struct image_kind *image = &cluster_images[wish->image];
    const Node *node = store_node(cluster->witness, agent->node_id);
    char *constraint = (char *)(uintptr_t)wish->constraint;
    Docker__Swarmkit__V1__Placement placement = DOCKER__SWARMKIT__V1__PLACEMENT__INIT;
    enum isolation isolation;
    struct fit fit;

    if (!node || !rule_allows(agent, image, wish->isolation, &isolation))
        return false;
    placement.constraints = &constraint;
    placement.n_constraints = wish->constraint != NULL;
    fit_init(&fit, node);
    bool fits = fit_constraints(&fit, &placement, NULL) == 0;
    fit_deinit(&fit);
    return fits;
}

static size_t count_eligible(const struct cluster *cluster, const struct wish *wish)
{
    size_t count = 0;

    for (unsigned i = 0; i < cluster->plan.agents_count; i++)
        count += is_eligible(cluster, &cluster->agents[i], wish);
    return count;
}

/* --- what there is --- */

struct tally {
    size_t to_run, running, of_spec, unfinished, completed, stopping;
};

static struct tally count_tasks(const struct cluster *cluster, const char *service_id, const struct wish *wish)
{
    struct tally tally = {0};
    struct store_cursor cursor;
    const Task *task;

    store_find(cluster->witness, STORE_TASK, STORE_BY_SERVICE, service_id, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL) {
        bool is_over = task->status->state > STATE(RUNNING), is_wanted = task->desired_state <= STATE(COMPLETE);
        is_wanted = is_wanted && task->status->state >= STATE(ASSIGNED); /* what no node may have waits, for ever perhaps */
        tally.to_run += is_wanted && !is_over;
        tally.running += task->desired_state == STATE(RUNNING) && task->status->state == STATE(RUNNING);
        tally.of_spec += is_wanted && !is_over && text_equal(task->spec->container->image, cluster_images[wish->image].name);
        tally.completed += task->status->state == STATE(COMPLETE);
        tally.stopping += task->desired_state > STATE(COMPLETE) && !is_over && task->status->state >= STATE(ASSIGNED);
    }
    return tally;
}

/* A policy under which what has ended may be left so. */
static bool may_stay_down(const struct wish *wish)
{
    return wish->restart >= 0;
}

/* An update to what no node may have, or not all that have the old: a new task that never comes up stalls it. */
static bool is_stalled(const struct cluster *cluster, const struct wish *wish, size_t eligible)
{
    return eligible == 0 || (wish->mode == MODE_GLOBAL && eligible < cluster->plan.agents_count);
}

static bool is_running_service_done(const struct cluster *cluster, const struct service_entry *entry, const char *id,
                                    const struct wish *wish, struct reason why)
{
    size_t eligible = count_eligible(cluster, wish), containers = hosts_running(cluster, id);
    size_t wanted = wish->mode == MODE_GLOBAL ? eligible : wish->replicas;
    struct tally tally = count_tasks(cluster, id, wish);
    bool is_right = may_stay_down(wish) ? tally.running <= wanted : tally.running == wanted;
    bool is_newest = tally.of_spec == tally.to_run || (may_stay_down(wish) && wish->starts_first); /* the old one may be all there is */

    if (is_stalled(cluster, wish, eligible)) { /* it waits, as Swarm's does; the old copies run on */
        is_right = tally.running <= (wish->mode == MODE_GLOBAL ? cluster->plan.agents_count : wanted);
        is_newest = true;
    }

    if (!is_right || tally.running != containers || tally.stopping > 0 || !is_newest)
        return no(
            why,
            "%s (wish %u, mode %d, restart %d): %zu tasks of %zu run (%zu to run, %zu of the newest spec, %zu stopping), %zu containers",
            entry->name, wish->generation, (int)wish->mode, wish->restart, tally.running, wanted, tally.to_run, tally.of_spec,
            tally.stopping, containers);
    return true;
}

/* Tasks that no node may have wait for ever. */
static bool is_job_done(const struct cluster *cluster, const struct service_entry *entry, const char *id, const struct wish *wish,
                        struct reason why)
{
    size_t eligible = count_eligible(cluster, wish), containers = hosts_running(cluster, id);
    struct tally tally = count_tasks(cluster, id, wish);
    bool is_short = wish->mode == MODE_JOB && eligible > 0 && !may_stay_down(wish) && tally.completed < wish->replicas;

    if (containers > 0 || (eligible > 0 && tally.to_run > 0) || tally.stopping > 0 || is_short)
        return no(why, "%s (wish %u, a job): %zu of %u completed, %zu to run, %zu containers", entry->name, wish->generation,
                  tally.completed, wish->replicas, tally.to_run, containers);
    return true;
}

bool settle_needs_hand(const struct cluster *cluster, const struct service_entry *entry)
{
    const struct wish *wish = entry->is_in_store ? services_wish(entry, entry->generation_in_store) : NULL;
    struct store_cursor cursor;

    if (!wish)
        return false;
    store_find(cluster->witness, STORE_SERVICE, STORE_BY_NAME, entry->name, &cursor);
    const Service *service = (const void *)store_next(&cursor);
    const Docker__Swarmkit__V1__UpdateStatus *status = service ? service->update_status : NULL;
    bool is_paused = status && (status->state == DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__PAUSED ||
                                status->state == DOCKER__SWARMKIT__V1__UPDATE_STATUS__UPDATE_STATE__ROLLBACK_PAUSED);
    return is_paused || wish->image == CLUSTER_IMAGE_BAD;
}

static bool is_service_done(struct cluster *cluster, const struct service_entry *entry, struct reason why)
{
    struct store_cursor cursor;

    if (!entry->is_in_store)
        return true;
    store_find(cluster->witness, STORE_SERVICE, STORE_BY_NAME, entry->name, &cursor);
    const Service *service = (const void *)store_next(&cursor);
    const struct wish *wish = services_wish(entry, entry->generation_in_store);
    if (!service || !wish)
        return no(why, "%s is of nobody's wish", entry->name);
    if (entry->attempts_count > 0 || entry->may_be_removed)
        return no(why, "%s is still asked about", entry->name);
    if (settle_needs_hand(cluster, entry))
        return no(why, "%s fails, or its update is paused", entry->name);
    return wish->mode >= MODE_JOB ? is_job_done(cluster, entry, service->id, wish, why)
                                  : is_running_service_done(cluster, entry, service->id, wish, why);
}

/* --- nodes, and what is left over --- */

static bool are_nodes_ready(const struct cluster *cluster, struct reason why)
{
    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        const struct agent *agent = &cluster->agents[i];
        const Node *node = store_node(cluster->witness, agent->node_id);
        if (!node || node->status->state != DOCKER__SWARMKIT__V1__NODE_STATUS__STATE__READY || !agent->is_in_session)
            return no(why, "%s is not ready: state %d, %s", agent->hostname, node ? (int)node->status->state : -1,
                      agent->is_in_session ? "in session" : "without a session");
        if (node->spec->availability != DOCKER__SWARMKIT__V1__NODE_SPEC__AVAILABILITY__ACTIVE)
            return no(why, "%s is not active again", agent->hostname);
    }
    return true;
}

struct keeper {
    const struct cluster *cluster;
    const char *node_id;
    char task_id[ID_SIZE_CHARS + 1]; /* one that is kept for nothing; "": none */
};

static void look_at_task(void *ctx, const struct worker_task *task)
{
    struct keeper *keeper = ctx;
    const Task *there = store_task(keeper->cluster->witness, task->task_id);

    if (!there || !text_equal(there->node_id, keeper->node_id))
        snprintf(keeper->task_id, sizeof keeper->task_id, "%s", task->task_id);
}

static bool is_nothing_kept(const struct cluster *cluster, struct reason why)
{
    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        const struct agent *agent = &cluster->agents[i];
        struct keeper keeper = {.cluster = cluster, .node_id = agent->node_id};
        worker_each(agent->worker, look_at_task, &keeper);
        if (*keeper.task_id)
            return no(why, "%s keeps task %s, which is not its own", agent->hostname, keeper.task_id);
    }
    return true;
}

static bool is_nothing_left(const struct cluster *cluster, struct reason why)
{
    struct store_cursor cursor;
    const Task *task;

    for (unsigned i = 0; i < cluster->plan.agents_count; i++)
        for (size_t k = 0; k < cluster->agents[i].seen_count; k++)
            if (!store_task(cluster->witness, cluster->agents[i].seen[k].task_id))
                return no(why, "%s runs task %s, which is gone", cluster->agents[i].hostname, cluster->agents[i].seen[k].task_id);
    store_find(cluster->witness, STORE_TASK, STORE_ALL, NULL, &cursor);
    while ((task = (const void *)store_next(&cursor)) != NULL)
        if (!store_service(cluster->witness, task->service_id))
            return no(why, "task %s is of a service that is gone", task->id);
    return true;
}

bool settle_is_done(struct cluster *cluster, char *text, size_t size)
{
    struct reason why = {text, size};

    if (!cluster->sim->is_calm)
        return no(why, "faults go on");
    if (!are_nodes_ready(cluster, why) || !is_nothing_left(cluster, why) || !is_nothing_kept(cluster, why))
        return false;
    for (unsigned i = 0; i < cluster->services_count; i++)
        if (!is_service_done(cluster, &cluster->services[i], why))
            return false;
    return true;
}
