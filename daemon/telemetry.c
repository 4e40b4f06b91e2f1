/* daemon/telemetry.c – see telemetry.h. */
#include "daemon/telemetry.h"

#include <stdio.h>

#include "base/text.h"
#include "daemon/host.h"
#include "manager/manager.h"

/* --- health --- */

/* A node that runs no manager knows of the quorum by its session: only a leader that has one holds sessions. */
static void look_at_node(struct telemetry *telemetry, const struct node_info *info, struct api_health *out)
{
    struct node_stats stats;
    const char *trouble = !text_empty(info->error) ? info->error : "it has no session with a manager";

    node_stats(telemetry->node, &stats);
    out->is_ready = out->has_quorum = info->state == NODE_ACTIVE && stats.has_session;
    if (out->is_ready)
        return;
    if (info->state == NODE_INACTIVE)
        snprintf(telemetry->trouble[0], sizeof telemetry->trouble[0], "this node is in no swarm");
    else
        snprintf(telemetry->trouble[0], sizeof telemetry->trouble[0], "this node takes no tasks: %.400s", trouble);
    snprintf(telemetry->trouble[1], sizeof telemetry->trouble[1], "without a session nothing is known here of the managers' quorum");
}

static void look_at_manager(struct telemetry *telemetry, struct manager *manager, struct api_health *out)
{
    struct manager_health health;

    manager_health(manager, &health);
    out->has_quorum = health.has_quorum;
    snprintf(telemetry->trouble[1], sizeof telemetry->trouble[1], "%s", health.quorum_trouble);
    if (!health.is_ready) /* tells more than that the session is gone, too */
        snprintf(telemetry->trouble[0], sizeof telemetry->trouble[0], "%s", health.ready_trouble);
    out->is_ready = out->is_ready && health.is_ready;
}

static void health(void *self, struct api_health *out)
{
    struct telemetry *telemetry = self;
    struct manager *manager = managing_manager(telemetry->managing);
    struct node_info info;

    node_info(telemetry->node, &info);
    telemetry->trouble[0][0] = telemetry->trouble[1][0] = '\0';
    *out = (struct api_health){.state = node_local_state_text(info.state),
                               .role = info.role,
                               .ready_trouble = telemetry->trouble[0],
                               .quorum_trouble = telemetry->trouble[1]};
    look_at_node(telemetry, &info, out);
    if (manager)
        look_at_manager(telemetry, manager, out);
}

/* --- metrics --- */

/* The names that Prometheus' own client libraries use. */
static void tell_process(struct metrics *metrics)
{
    struct host_usage usage;

    host_usage(&usage);
    metrics_family(metrics, METRICS_GAUGE, "skep_build_info", "Which skepd this is; always 1.");
    metrics_sample(metrics, 1, "version", SKEP_VERSION, NULL);
    metrics_gauge(metrics, "process_resident_memory_bytes", "Memory of this process that is in RAM.", (double)usage.resident_bytes);
    metrics_gauge(metrics, "process_virtual_memory_bytes", "Address space of this process.", (double)usage.virtual_bytes);
    metrics_gauge(metrics, "process_open_fds", "Files, sockets and other handles that are open.", (double)usage.open_handles_count);
    metrics_gauge(metrics, "process_max_fds", "How many may be.", (double)usage.open_handles_most_count);
    metrics_counter(metrics, "process_cpu_seconds_total", "Processor time that was used.", usage.cpu_s);
    metrics_gauge(metrics, "process_start_time_seconds", "When this process began, since 1970.", usage.started_wall_s);
}

static void tell_identity(const struct node_info *info, struct metrics *metrics)
{
    bool is_in = !text_empty(info->node_id);

    metrics_gauge(metrics, "swarm_node_manager", "Is this node a manager, by its certificate?", text_equal(info->role, "manager"));
    metrics_family(metrics, METRICS_GAUGE, "swarm_node_info", "Which node of which swarm this is; always 1.");
    if (is_in)
        metrics_sample(metrics, 1, "swarm_id", info->cluster_id, "node_id", info->node_id, NULL);
    metrics_family(metrics, METRICS_GAUGE, "skep_node_state", "1 for the state that the node is in.");
    for (int state = NODE_INACTIVE; state <= NODE_LOCKED; state++)
        metrics_sample(metrics, (int)info->state == state, "state", node_local_state_text((enum node_local_state)state), NULL);
    if (info->certificate_expires_wall_ns != 0)
        metrics_gauge(metrics, "skep_node_certificate_expiry_timestamp_seconds", "When this node's certificate expires.",
                      (double)(info->certificate_expires_wall_ns / (int64_t)NS_PER_S));
}

static void tell_node(const struct node_stats *stats, struct metrics *metrics)
{
    metrics_gauge(metrics, "skep_node_session", "Is the node in session with a manager?", stats->has_session);
    metrics_counter(metrics, "skep_node_registrations_total", "Sessions that were begun.", (double)stats->registrations);
    metrics_counter(metrics, "skep_node_session_failures_total", "Sessions, and attempts at one, that ended with an error.",
                    (double)stats->session_failures);
    metrics_counter(metrics, "skep_node_heartbeats_total", "Heartbeats that were sent.", (double)stats->heartbeats);
    metrics_gauge(metrics, "skep_node_heartbeat_period_seconds", "How often the manager wants one.",
                  metrics_seconds((uint64_t)stats->heartbeat_period_ns));
    metrics_gauge(metrics, "skep_node_heartbeat_late_seconds", "How long after its time the last one was sent.",
                  metrics_seconds(stats->heartbeat_late_last_ns));
    metrics_gauge(metrics, "skep_node_heartbeat_late_max_seconds", "The same of the latest one since the start.",
                  metrics_seconds(stats->heartbeat_late_max_ns));
    metrics_gauge(metrics, "skep_node_tasks", "Tasks that this node looks after.", (double)stats->tasks);
    metrics_gauge(metrics, "skep_node_statuses_waiting", "Statuses of tasks that no manager has taken yet.",
                  (double)stats->statuses_waiting);
    metrics_counter(metrics, "skep_node_assigned_tasks_total", "Tasks that were assigned to this node.", (double)stats->tasks_assigned);
    metrics_counter(metrics, "skep_node_failed_tasks_total", "Tasks that failed here.", (double)stats->tasks_failed);
    metrics_counter(metrics, "skep_node_rejected_tasks_total", "Tasks that cannot run here.", (double)stats->tasks_rejected);
    metrics_counter(metrics, "skep_node_pulls_total", "Images that were pulled for tasks.", (double)stats->pulls);
}

static void tell_all(void *self, struct metrics *metrics)
{
    struct telemetry *telemetry = self;
    struct manager *manager = managing_manager(telemetry->managing);
    struct node_info info;
    struct node_stats stats;
    struct api_health well;

    tell_process(metrics);
    node_info(telemetry->node, &info);
    tell_identity(&info, metrics);
    node_stats(telemetry->node, &stats);
    tell_node(&stats, metrics);
    health(telemetry, &well);
    metrics_gauge(metrics, "skep_ready", "Does /health/ready say so?", well.is_ready);
    metrics_gauge(metrics, "skep_quorum", "Does /health/quorum say so?", well.has_quorum);
    if (manager)
        manager_metrics(manager, metrics);
}

struct api_telemetry telemetry_wire(struct telemetry *telemetry)
{
    return (struct api_telemetry){.health = health, .metrics = tell_all, .self = telemetry};
}
