/* tests/sim/cluster/hosts.c – what runs on the hosts, held against the rules at the moment when it begins, and each half second after:
 *
 *     nothing runs where the rule forbids it (base/isolation.h)
 *     of a service with skep.stop-after, never two copies of a slot: but where the agent of one was away, or its host refused to stop it
 *     nothing runs unassigned for longer than UNWANTED_US while its agent is in session and its host is well */
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "runtime/emulated/emulated.h"
#include "tests/sim/cluster/cluster.h"

/* An agent that still believes in its session notices by a heartbeat; then it is told within the time for which changes are collected, and
 * stops with the grace period; an exit that was not announced is seen at the next look. The rest is for messages on their way. */
#define UNWANTED_MS                                                                                                                        \
    (HEARTBEAT_PERIOD_DEFAULT_MS + DISPATCHER_HEARTBEAT_JITTER_MS + HEARTBEAT_TIMEOUT_MS + DISPATCHER_CHANGES_MS + DISPATCHER_WRITES_MS +  \
     TASK_STOP_GRACE_MS + WORKER_CHECK_MS + 10000)
#define UNWANTED_US ((uint64_t)UNWANTED_MS * 1000)

bool rule_allows(const struct agent *agent, const struct image_kind *image, enum isolation wish, enum isolation *out)
{
    const struct isolation_host host = {.node = agent->hostname,
                                        .os = agent->kind->os,
                                        .architecture = agent->kind->architecture,
                                        .os_version = agent->kind->os_version,
                                        .offers_process = true,
                                        .offers_hyperv = agent->kind->offers_hyperv,
                                        .preferred = agent->kind->prefers_hyperv ? ISOLATION_HYPERV : ISOLATION_PROCESS};
    const struct isolation_image wants = {image->os, image->architecture, image->os_version};

    return isolation_choose(&host, &wants, wish, out, NULL) == 0;
}

/* --- one container --- */

static struct seen_container *find_seen(struct agent *agent, const char *id)
{
    for (size_t i = 0; i < agent->seen_count; i++)
        if (strcmp(agent->seen[i].id, id) == 0)
            return &agent->seen[i];
    return NULL;
}

static void copy_label(const cJSON *labels, const char *key, char *out, size_t size)
{
    snprintf(out, size, "%s", json_string(labels, key, ""));
}

static struct seen_container *note(struct agent *agent, const struct emulated_system *system)
{
    const cJSON *skep = json_object(system->json, "Skep"), *labels = json_object(skep, "Labels");

    if (agent->seen_count == agent->seen_capacity) {
        agent->seen_capacity = agent->seen_capacity ? 2 * agent->seen_capacity : 16;
        agent->seen = mem_resize(agent->seen, agent->seen_capacity * sizeof *agent->seen);
    }
    struct seen_container *seen = &agent->seen[agent->seen_count++];
    *seen = (struct seen_container){.since_us = agent->cluster->sim->now_us, .unwanted_us = UINT64_MAX};
    snprintf(seen->id, sizeof seen->id, "%s", system->id);
    copy_label(labels, "com.docker.swarm.task.id", seen->task_id, sizeof seen->task_id);
    copy_label(labels, "com.docker.swarm.service.id", seen->service_id, sizeof seen->service_id);
    snprintf(seen->image, sizeof seen->image, "%s", json_string(json_object(skep, "Image"), "Reference", ""));
    seen->hyperv = text_equal(json_string(skep, "Isolation", ""), "hyperv");
    const Task *task = store_task(agent->cluster->witness, seen->task_id);
    seen->slot = task ? task->slot : 0;
    return seen;
}

static const struct service_entry *service_of(const struct cluster *cluster, const char *service_id)
{
    for (unsigned i = 0; i < cluster->services_count; i++)
        if (text_equal(cluster->services[i].id, service_id))
            return &cluster->services[i];
    return NULL;
}

static void check_rule(struct agent *agent, const struct seen_container *seen)
{
    const struct image_kind *image = plan_image(seen->image);
    enum isolation isolation, chosen = seen->hyperv ? ISOLATION_HYPERV : ISOLATION_PROCESS;

    if (!image || !rule_allows(agent, image, chosen, &isolation))
        sim_violated(agent->cluster->sim, "nothing runs where the rule forbids it", "%s with isolation %s on %s, %s", seen->image,
                     isolation_name(chosen), agent->hostname, agent->kind->name);
}

/* An agent that is away stops nothing, and a host that hangs stops nothing. But none starts the next beside the one that it has. */
static bool keeps_word(const struct agent *agent)
{
    bool was_well = agent->broken_us == 0 || agent->broken_us + 120000000 < agent->cluster->sim->now_us;
    return agent->is_up && was_well;
}

static void check_copies(struct agent *agent, const struct seen_container *seen)
{
    struct cluster *cluster = agent->cluster;
    const struct service_entry *entry = service_of(cluster, seen->service_id);

    if (!entry || !entry->wish.is_guarded || seen->slot == 0)
        return;
    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        const struct agent *other = &cluster->agents[i];
        for (size_t k = 0; k < other->seen_count; k++) {
            const struct seen_container *copy = &other->seen[k];
            bool is_copy = copy != seen && text_equal(copy->service_id, seen->service_id) && copy->slot == seen->slot;
            bool are_bound = other == agent || (keeps_word(other) && keeps_word(agent));
            if (is_copy && are_bound)
                sim_violated(cluster->sim, "never two copies of a slot where skep.stop-after says so",
                             "slot %" PRIu64 " of %s: task %s on %s, and %s on %s", seen->slot, entry->name, copy->task_id, other->hostname,
                             seen->task_id, agent->hostname);
        }
    }
}

void hosts_look(struct agent *agent)
{
    for (size_t i = 0; i < agent->seen_count; i++)
        agent->seen[i].is_running = false;
    for (const struct emulated_system *system = emulated_of(agent->hcs)->systems; system; system = system->next) {
        if (system->state != HCS_RUNNING && system->state != HCS_PAUSED)
            continue;
        struct seen_container *seen = find_seen(agent, system->id);
        if (!seen) {
            seen = note(agent, system);
            cluster_say(agent->cluster, agent->hostname, "runs task %s, %s", seen->task_id, seen->image);
            seen->is_running = true;
            check_rule(agent, seen);
            check_copies(agent, seen);
        }
        seen->is_running = true;
    }
    for (size_t i = 0; i < agent->seen_count;) {
        if (agent->seen[i].is_running) {
            i++;
            continue;
        }
        cluster_say(agent->cluster, agent->hostname, "task %s runs no more", agent->seen[i].task_id);
        agent->seen[i] = agent->seen[--agent->seen_count];
    }
}

/* --- all of them --- */

static bool is_wanted(const struct agent *agent, const struct seen_container *seen)
{
    const Task *task = store_task(agent->cluster->witness, seen->task_id);

    return task && text_equal(task->node_id, agent->node_id) && task->desired_state <= STATE(COMPLETE);
}

void hosts_check(struct cluster *cluster)
{
    uint64_t now_us = cluster->sim->now_us;

    for (unsigned i = 0; i < cluster->plan.agents_count; i++) {
        struct agent *agent = &cluster->agents[i];
        if (!agent->is_up || !agent->is_in_session)
            agent_disturbed(agent);
        for (size_t k = 0; k < agent->seen_count; k++) {
            struct seen_container *seen = &agent->seen[k];
            if (is_wanted(agent, seen)) {
                seen->unwanted_us = UINT64_MAX;
                continue;
            }
            if (seen->unwanted_us == UINT64_MAX)
                seen->unwanted_us = now_us;
            uint64_t since_us = seen->unwanted_us > agent->disturbed_us ? seen->unwanted_us : agent->disturbed_us;
            if (now_us > since_us + UNWANTED_US)
                sim_violated(cluster->sim, "nothing runs unassigned", "task %s on %s, for %" PRIu64 " s", seen->task_id, agent->hostname,
                             (now_us - since_us) / 1000000);
        }
    }
}

size_t hosts_running(const struct cluster *cluster, const char *service_id)
{
    size_t count = 0;

    for (unsigned i = 0; i < cluster->plan.agents_count; i++)
        for (size_t k = 0; k < cluster->agents[i].seen_count; k++)
            count += text_equal(cluster->agents[i].seen[k].service_id, service_id);
    return count;
}
