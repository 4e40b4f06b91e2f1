/* manager/metrics.c – what a manager tells of itself and, while it leads, of the cluster: as numbers for Prometheus, and whether it is
 * well.
 *
 * Cheap with 100,000 tasks: counts are the store's own, and the rest manager/tally.h keeps. Names that begin with swarm_ are
 * SwarmKit's; where every manager of SwarmKit's counts the cluster's objects, here the leader does, so that sums over managers are true. */
#include <stdio.h>

#include "manager/ca/authority.h"
#include "manager/inside.h"
#include "manager/scheduler/part.h"

/* --- health --- */

static bool is_heard(const struct raft_node_status *status, uint64_t id)
{
    for (size_t i = 0; i < status->peers_count; i++)
        if (status->peers[i].id == id)
            return status->role == RAFT_LEADER ? status->peers[i].link.active_since_ns != 0 : status->peers[i].link.is_connected;
    return false;
}

/* Of those who vote, this one with them. Only a leader hears from all; another knows whom it is connected to. */
static void count_voters(const struct raft_node_status *status, struct manager_health *out)
{
    out->members_count = status->conf->voters.count;
    for (size_t i = 0; i < status->conf->voters.count; i++)
        out->reachable_count += status->conf->voters.items[i] == status->id || is_heard(status, status->conf->voters.items[i]);
}

/* A leader that hears from too few steps down within an election's time, and who hears of no leader knows it as soon. */
static void look_at_quorum(const struct raft_node_status *status, struct manager_health *out)
{
    size_t majority = out->members_count / 2 + 1;

    if (status->has_failed)
        snprintf(out->quorum_trouble, sizeof out->quorum_trouble, "this manager's log has failed");
    else if (status->leader == RAFT_NOBODY && out->reachable_count < majority)
        snprintf(out->quorum_trouble, sizeof out->quorum_trouble,
                 "no manager leads: %zu of %zu managers can be reached from here, and %zu are needed", out->reachable_count,
                 out->members_count, majority);
    else if (status->leader == RAFT_NOBODY)
        snprintf(out->quorum_trouble, sizeof out->quorum_trouble, "no manager leads: an election is under way");
    else
        out->has_quorum = true;
}

static void look_at_readiness(const struct manager *manager, const struct raft_node_status *status, struct manager_health *out)
{
    uint64_t lag = status->commit - status->applied;

    if (!out->has_quorum)
        snprintf(out->ready_trouble, sizeof out->ready_trouble, "%s", out->quorum_trouble);
    else if (status->writer.is_full)
        snprintf(out->ready_trouble, sizeof out->ready_trouble, "there is no room on the disk for the log");
    else if (lag > MANAGER_READY_LAG_COUNT)
        snprintf(out->ready_trouble, sizeof out->ready_trouble, "%llu committed entries are not applied here yet", (unsigned long long)lag);
    else if (!manager->is_ready || (status->role == RAFT_LEADER && !replica_is_leading(manager->replica)))
        snprintf(out->ready_trouble, sizeof out->ready_trouble, "this manager is still reading up");
    else
        out->is_ready = true;
}

void manager_health(struct manager *manager, struct manager_health *out)
{
    struct raft_node_status status;

    *out = (struct manager_health){.is_leading = manager_is_leading(manager)};
    if (manager->replica == NULL || manager->is_closing) {
        snprintf(out->quorum_trouble, sizeof out->quorum_trouble,
                 manager->is_closing ? "this manager is closing" : "this manager was not let in among the managers yet");
        snprintf(out->ready_trouble, sizeof out->ready_trouble, "%s", out->quorum_trouble);
        return;
    }
    raft_node_status(replica_raft(manager->replica), &status);
    count_voters(&status, out);
    look_at_quorum(&status, out);
    look_at_readiness(manager, &status, out);
}

/* --- Raft --- */

static void tell_peers(const struct manager *manager, const struct raft_node_status *status, struct metrics *metrics)
{
    const struct raft_book *book = raft_node_book(replica_raft(manager->replica));
    const char *names[MANAGERS_COUNT];
    size_t count = status->peers_count < MANAGERS_COUNT ? status->peers_count : MANAGERS_COUNT;

    for (size_t i = 0; i < count; i++) {
        names[i] = "";
        for (size_t k = 0; k < book->count; k++)
            if (book->members[k].id == status->peers[i].id)
                names[i] = book->members[k].node_id;
    }
    metrics_family(metrics, METRICS_GAUGE, "skep_raft_peer_connected", "Is there a connection to this manager?");
    for (size_t i = 0; i < count; i++)
        metrics_sample(metrics, status->peers[i].link.is_connected, "node_id", names[i], "addr", status->peers[i].address, NULL);
    metrics_family(metrics, METRICS_GAUGE, "skep_raft_peer_round_trip_seconds",
                   "Of a heartbeat to this manager, smoothed; 0: not measured.");
    for (size_t i = 0; i < count; i++)
        metrics_sample(metrics, metrics_seconds(status->peers[i].link.round_trip_ns), "node_id", names[i], "addr", status->peers[i].address,
                       NULL);
    metrics_family(metrics, METRICS_COUNTER, "skep_raft_peer_dropped_total", "Messages to this manager that were not sent.");
    for (size_t i = 0; i < count; i++)
        metrics_sample(metrics, (double)status->peers[i].link.dropped_count, "node_id", names[i], "addr", status->peers[i].address, NULL);
    if (status->role != RAFT_LEADER)
        return;
    metrics_family(metrics, METRICS_GAUGE, "skep_raft_peer_lag_entries",
                   "Entries of the leader's log that this manager is not known to have.");
    for (size_t i = 0; i < count; i++)
        metrics_sample(metrics, (double)(status->last_index - status->peers[i].match), "node_id", names[i], "addr",
                       status->peers[i].address, NULL);
}

static void tell_log(const struct raft_node_status *status, struct metrics *metrics)
{
    metrics_gauge(metrics, "skep_raft_log_size_bytes", "Of the log's files.", (double)status->writer.log_size_bytes);
    metrics_gauge(metrics, "skep_raft_log_segments", "Files of the log.", (double)status->writer.log_segments_count);
    metrics_gauge(metrics, "skep_raft_log_entries", "Entries in the log, behind the last snapshot and those kept before it.",
                  (double)(status->last_index + 1 - status->first_index));
    metrics_gauge(metrics, "skep_raft_log_waiting_writes", "Writes that are not stable yet.", (double)status->writer.waiting_count);
    metrics_gauge(metrics, "skep_raft_log_full", "Do writes wait for room on the disk?", status->writer.is_full);
    metrics_family(metrics, METRICS_HISTOGRAM, "skep_raft_fsync_seconds", "Writing to the log and syncing it, a batch at a time.");
    metrics_histogram(metrics, status->writer.flush_times, NULL);
}

static void tell_raft(const struct manager *manager, const struct raft_node_status *status, struct metrics *metrics)
{
    struct manager_health health = {0};

    count_voters(status, &health);
    look_at_quorum(status, &health);
    metrics_gauge(metrics, "skep_raft_term", "The present term.", (double)status->term);
    metrics_gauge(metrics, "skep_raft_has_leader", "Does this manager know of a leader?", status->leader != RAFT_NOBODY);
    metrics_gauge(metrics, "skep_raft_quorum", "Can the managers decide, as this one sees it?", health.has_quorum);
    metrics_gauge(metrics, "skep_raft_members", "Managers that vote.", (double)health.members_count);
    metrics_gauge(metrics, "skep_raft_members_reachable", "Of them, those that can be reached from here, this one with them.",
                  (double)health.reachable_count);
    metrics_gauge(metrics, "skep_raft_commit_index", "The last entry that is committed.", (double)status->commit);
    metrics_gauge(metrics, "skep_raft_applied_index", "The last entry that is applied here.", (double)status->applied);
    metrics_gauge(metrics, "skep_raft_apply_lag_entries", "Entries that are committed and not applied here.",
                  (double)(status->commit - status->applied));
    metrics_gauge(metrics, "skep_raft_last_index", "The last entry of the log.", (double)status->last_index);
    metrics_gauge(metrics, "skep_raft_snapshot_index", "The last entry that is in the newest snapshot.", (double)status->snapshot_index);
    metrics_gauge(metrics, "skep_raft_proposals_waiting", "Proposals that are not applied yet.", (double)status->proposals_count);
    metrics_family(metrics, METRICS_HISTOGRAM, "swarm_raft_transaction_latency_seconds",
                   "From a change being proposed here to its being committed and applied here.");
    metrics_histogram(metrics, replica_commit_times(manager->replica), NULL);
    tell_log(status, metrics);
    tell_peers(manager, status, metrics);
}

/* --- the cluster, by its leader --- */

static size_t count_of(const struct store *store, enum store_kind kind)
{
    return store_count(store, kind, STORE_ALL, NULL);
}

static void tell_tasks(const struct store *store, struct metrics *metrics)
{
    static const struct {
        int number;
        const char *text;
    } states[] = {
#define X(name, text) {DOCKER__SWARMKIT__V1__TASK_STATE__##name, text},
        TALLY_TASK_STATES(X)
#undef X
    };
    char key[16];

    metrics_family(metrics, METRICS_GAUGE, "swarm_manager_tasks_total", "Tasks in the cluster by state.");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        snprintf(key, sizeof key, "%d", states[i].number);
        metrics_sample(metrics, (double)store_count(store, STORE_TASK, STORE_BY_STATE, key), "state", states[i].text, NULL);
    }
}

enum { NODE_STATES_COUNT = 4, AVAILABILITIES_COUNT = 3 };

static void tell_nodes(const struct store *store, struct metrics *metrics)
{
    static const char *const states[NODE_STATES_COUNT] = {"unknown", "down", "ready", "disconnected"}; /* by NodeStatus.State's numbers */
    static const char *const words[AVAILABILITIES_COUNT] = {"active", "pause", "drain"};               /* by NodeSpec.Availability's */
    size_t by_state[NODE_STATES_COUNT] = {0}, by_availability[AVAILABILITIES_COUNT] = {0};
    const Docker__Swarmkit__V1__Node *node;
    struct store_cursor cursor;

    store_find(store, STORE_NODE, STORE_ALL, NULL, &cursor);
    while ((node = (const void *)store_next(&cursor)) != NULL) {
        unsigned state = node->status ? (unsigned)node->status->state : 0,
                 availability = node->spec ? (unsigned)node->spec->availability : 0;
        by_state[state < NODE_STATES_COUNT ? state : 0]++;
        by_availability[availability < AVAILABILITIES_COUNT ? availability : 0]++;
    }
    metrics_family(metrics, METRICS_GAUGE, "swarm_manager_nodes", "Nodes of the cluster by state.");
    for (size_t i = 0; i < NODE_STATES_COUNT; i++)
        metrics_sample(metrics, (double)by_state[i], "state", states[i], NULL);
    metrics_family(metrics, METRICS_GAUGE, "skep_nodes_by_availability", "Nodes of the cluster by availability.");
    for (size_t i = 0; i < AVAILABILITIES_COUNT; i++)
        metrics_sample(metrics, (double)by_availability[i], "availability", words[i], NULL);
}

static void tell_objects(const struct store *store, struct metrics *metrics)
{
    tell_nodes(store, metrics);
    tell_tasks(store, metrics);
    metrics_gauge(metrics, "swarm_manager_services_total", "Services of the cluster.", (double)count_of(store, STORE_SERVICE));
    metrics_gauge(metrics, "swarm_manager_networks_total", "Networks of the cluster.", (double)count_of(store, STORE_NETWORK));
    metrics_gauge(metrics, "swarm_manager_secrets_total", "Secrets of the cluster.", (double)count_of(store, STORE_SECRET));
    metrics_gauge(metrics, "swarm_manager_configs_total", "Configs of the cluster.", (double)count_of(store, STORE_CONFIG));
}

static void tell_scheduler(struct manager *manager, struct metrics *metrics)
{
    const struct scheduler_part *part = leader_part(manager->leader, "scheduler");

    if (part == NULL)
        return;
    const struct scheduler_counts counts = scheduler_part_count(part);
    const struct scheduler_refused refused = scheduler_part_refused(part);
    metrics_gauge(metrics, "skep_scheduler_ready_nodes", "Nodes that may get tasks.", (double)counts.ready_nodes);
    metrics_gauge(metrics, "skep_scheduler_pending_tasks", "Tasks that wait for a node.", (double)counts.pending_tasks);
    metrics_gauge(metrics, "skep_scheduler_blocked_groups", "Services (by version of their spec) whose tasks fit on no node at present.",
                  (double)counts.blocked_groups);
    metrics_counter(metrics, "skep_scheduler_refused_tasks_total", "How often a task was told that no node suits it.",
                    (double)refused.tasks);
    metrics_family(metrics, METRICS_COUNTER, "skep_scheduler_refusals_total",
                   "The same by reason: the filters at which nodes fell. A task may count for several.");
    for (int i = 0; i < SCHEDULER_FILTER_COUNT; i++)
        metrics_sample(metrics, (double)refused.by_filter[i], "reason", scheduler_filter_name((enum scheduler_filter)i), NULL);
}

static void tell_dispatcher(struct manager *manager, struct metrics *metrics)
{
    const struct dispatcher *dispatcher = parts_dispatcher(manager);
    struct dispatcher_stats stats;

    if (dispatcher == NULL)
        return;
    dispatcher_stats(dispatcher, &stats);
    metrics_gauge(metrics, "skep_dispatcher_sessions", "Nodes in session.", (double)stats.nodes_in_session);
    metrics_gauge(metrics, "skep_dispatcher_awaited_nodes", "Nodes that this leader has not heard of yet.", (double)stats.nodes_awaited);
    metrics_gauge(metrics, "skep_dispatcher_twins", "Entries of hosts that joined again under another id.", (double)stats.twins);
    metrics_gauge(metrics, "skep_dispatcher_heartbeat_period_seconds", "How often a node is to be heard.",
                  metrics_seconds(stats.period_ns));
    metrics_counter(metrics, "skep_dispatcher_registrations_total", "Sessions that nodes began.", (double)stats.registrations);
    metrics_counter(metrics, "skep_dispatcher_refused_registrations_total", "Sessions that were refused.",
                    (double)stats.registrations_refused);
    metrics_counter(metrics, "skep_dispatcher_heartbeats_total", "Heartbeats of nodes.", (double)stats.heartbeats);
    metrics_counter(metrics, "skep_dispatcher_lost_nodes_total", "Nodes that were taken to be down.", (double)stats.nodes_lost);
    metrics_counter(metrics, "skep_dispatcher_spared_nodes_total", "Nodes that were not, since it was this leader that had slept.",
                    (double)stats.late);
    metrics_counter(metrics, "skep_dispatcher_statuses_total", "Statuses of tasks that nodes reported.", (double)stats.statuses);
    metrics_counter(metrics, "skep_dispatcher_status_writes_total", "Transactions in which they were written.", (double)stats.batches);
    metrics_counter(metrics, "skep_dispatcher_assignment_changes_total", "Changes that nodes were told of.",
                    (double)stats.assignment_changes);
    metrics_counter(metrics, "skep_dispatcher_orphaned_tasks_total", "Tasks of nodes that stayed away.", (double)stats.orphaned);
}

/* --- */

static const Docker__Swarmkit__V1__Cluster *cluster_of(const struct store *store)
{
    struct store_cursor cursor;

    store_find(store, STORE_CLUSTER, STORE_ALL, NULL, &cursor);
    return (const void *)store_next(&cursor);
}

static void tell_root(struct manager *manager, const struct store *store, struct metrics *metrics)
{
    const Docker__Swarmkit__V1__Cluster *cluster = cluster_of(store);
    const struct control_authority authority = ca_authority_control(manager->authority);
    int64_t expires_ns;

    if (cluster && cluster->root_ca &&
        authority.expires(authority.self, bytes_of(cluster->root_ca->ca_cert.data, cluster->root_ca->ca_cert.len), &expires_ns))
        metrics_gauge(metrics, "skep_root_certificate_expiry_timestamp_seconds", "When the cluster's root certificate expires.",
                      (double)(expires_ns / (int64_t)NS_PER_S));
}

void manager_metrics(struct manager *manager, struct metrics *metrics)
{
    struct raft_node_status status;

    metrics_gauge(metrics, "swarm_manager_leader", "Does this manager lead?", manager_is_leading(manager));
    if (manager->replica == NULL || manager->is_closing)
        return;
    struct store *store = replica_store(manager->replica);
    raft_node_status(replica_raft(manager->replica), &status);
    tell_raft(manager, &status, metrics);
    metrics_gauge(metrics, "skep_store_size_bytes", "Of the cluster's objects in memory.", (double)store_size_bytes(store));
    tell_root(manager, store, metrics);
    if (!manager_is_leading(manager))
        return;
    tell_objects(store, metrics);
    tally_follow(&manager->tally, store);
    tally_tell(&manager->tally, clock_wall_ns(&manager->options.clock), metrics);
    tell_scheduler(manager, metrics);
    tell_dispatcher(manager, metrics);
}
