/* agent/node_parts.c – what a node in a swarm is made of, and who hears what from whom: worker, session, renewal, logs. */
#include <stdlib.h>
#include <string.h>

#include "agent/node_inside.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/tls/tls.h"
#include "runtime/hcs.h"

/* --- what the worker tells --- */

static void on_status(void *ctx, const char *task_id, const struct Docker__Swarmkit__V1__TaskStatus *status)
{
    struct node *node = ctx;
    struct error err = {0};
    if (node->session && session_driver_report(node->session, task_id, status, &err) < 0)
        log_with(LOG_ERROR, "node", LOG_FIELDS({"task", task_id}), "a status is not reported: %s", err.message);
}

static void on_forgotten(void *ctx, const char *task_id)
{
    struct node *node = ctx;
    if (node->session)
        session_driver_forget(node->session, task_id);
}

static struct log_task log_task_of(const struct worker_task *task)
{
    return (struct log_task){task->task_id, task->service_id, task->node_id};
}

static void on_started(void *ctx, const char *task_id)
{
    struct node *node = ctx;
    struct worker_task task;
    if (node->session == NULL || !worker_find(node->worker, task_id, &task))
        return;
    struct log_task log_task = log_task_of(&task);
    session_driver_task_started(node->session, &log_task);
}

/* --- where logs come from --- */

struct each {
    void (*call)(void *ctx, const struct log_task *task);
    void *ctx;
};

static void each_with_container(void *ctx, const struct worker_task *task)
{
    const struct each *each = ctx;
    struct log_task log_task = log_task_of(task);
    if (!text_empty(task->container_id))
        each->call(each->ctx, &log_task);
}

static void each_log_task(void *self, void (*call)(void *ctx, const struct log_task *task), void *ctx)
{
    struct node *node = self;
    struct each each = {call, ctx};
    worker_each(node->worker, each_with_container, &each);
}

static const char *system_of_task(void *self, const char *task_id)
{
    struct node *node = self;
    struct worker_task task;
    return worker_find(node->worker, task_id, &task) && !text_empty(task.container_id) ? task.container_id : NULL;
}

/* --- what the session tells --- */

static struct Docker__Swarmkit__V1__NodeDescription *describe(void *ctx, struct arena *arena)
{
    struct node *node = ctx;
    const struct identity *identity = node->identity;
    struct hcs_host host;
    struct host_facts facts;
    struct error err = {0};
    hcs_probe(node->options.hcs, &host);
    if (host_facts_read(&facts, &err) == 0) { /* processors and memory come and go in a virtual machine */
        host_facts_pretend(&facts, &host);
        node->host = facts;
    }
    struct description_inputs inputs = {
        .host = &node->host,
        .hostname = node->options.hostname,
        .labels = node->options.labels,
        .label_count = node->options.label_count,
        .has_process = host.offers_process,
        .has_hyperv = host.offers_hyperv,
        .default_isolation = node->options.default_isolation,
        .issuer_subject_der = buf_bytes(&identity->certificate.issuer_subject_der),
        .issuer_public_key_der = buf_bytes(&identity->certificate.issuer_public_key_der),
        .root_pem = buf_bytes(&identity->root_pem),
    };
    return description_build(&inputs, arena);
}

static void on_state(void *ctx, enum session_state state, const struct error *err)
{
    struct node *node = ctx;
    bool is_news = err->code != 0 && strcmp(err->message, node->session_error.message) != 0;
    if (state == SESSION_RUNNING && node->session_state != SESSION_RUNNING)
        log_with(LOG_INFO, "node", LOG_FIELDS({"manager", session_driver_manager_addr(node->session)}), "in session with a manager");
    else if (state == SESSION_REMOVED && node->session_state != SESSION_REMOVED)
        log_error("node", "%s", err->message);
    else if (is_news)
        log_with(LOG_WARN, "node", LOG_FIELDS({"manager", session_driver_manager_addr(node->session)}), "%s", err->message);
    if (node->session_state == SESSION_RUNNING && state != SESSION_RUNNING)
        node->is_to_be_manager = false;
    node->session_state = state;
    node->session_error = *err;
    if (node->worker && !node->is_worker_closing)
        worker_set_contact(node->worker, state == SESSION_RUNNING);
}

static void on_facts(void *ctx, const struct session_facts *facts)
{
    struct node *node = ctx;
    free(node->addr);
    node->addr = mem_string(facts->node_addr);
    if (facts->availability != node->availability)
        log_info("node", "availability is now %s", session_availability_text(facts->availability));
    node->availability = facts->availability;
    bool is_to_be_manager = facts->desired_role == CERTIFICATE_MANAGER;
    bool is_news_of_managers = node->has_skep_managers != facts->is_skep || node->is_to_be_manager != is_to_be_manager;
    node->has_skep_managers = facts->is_skep;
    node->is_to_be_manager = is_to_be_manager;
    if (is_news_of_managers)
        node_identity_changed(node);
    if (node->renewal)
        renewal_driver_told(node->renewal, facts->desired_role, node->options.can_manage && facts->is_skep, facts->certificate_status,
                            facts->root_pem);
}

static void on_remotes(void *ctx)
{
    struct node *node = ctx;
    struct error err = {0};
    if (identity_store_remotes(node->identity, &err) < 0)
        log_error("node", "the list of managers is not kept: %s", err.message);
}

static void on_assigned(void *ctx, struct assignment_changes *changes)
{
    struct node *node = ctx;
    worker_assign(node->worker, changes);
}

static void on_registered(void *ctx)
{
    struct node *node = ctx;
    worker_report_all(node->worker);
    node_registered(node);
}

/* --- what the renewal tells --- */

static struct grpc_channel *channel_for_renewal(void *ctx)
{
    struct node *node = ctx;
    return node->session ? session_driver_channel(node->session) : NULL;
}

static void on_replaced(void *ctx)
{
    struct node *node = ctx;
    if (node->session)
        session_driver_credentials_changed(node->session);
    node_identity_changed(node);
}

static void on_health(void *ctx, enum renewal_health health, const struct error *trouble)
{
    struct node *node = ctx;
    node->renewal_health = health;
    node->renewal_trouble = trouble ? *trouble : (struct error){0};
}

/* --- opening and closing --- */

static int open_worker(struct node *node, struct error *err)
{
    struct node_options *options = &node->options;
    struct worker_options worker_options = {
        .loop = options->loop,
        .clock = options->clock,
        .random = options->random,
        .state_dir = options->state_dir,
        .hcs = options->hcs,
        .images = options->images,
        .default_isolation = text_equal(options->default_isolation, "hyperv") ? ISOLATION_HYPERV : ISOLATION_PROCESS,
        .listener = {on_status, on_forgotten, on_started, node},
    };
    return worker_new(&worker_options, &node->worker, err);
}

static void open_session(struct node *node)
{
    struct node_options *options = &node->options;
    const char *node_id = node->identity->certificate.node_id;
    node->logs = log_source_hcs_new(options->hcs, &(struct log_source_tasks){each_log_task, system_of_task, node});
    struct session_driver_options session_options = {
        .loop = options->loop,
        .clock = options->clock,
        .random = options->random,
        .credentials = node->credentials,
        .remotes = &node->identity->remotes,
        .node_id = node_id,
        .logs = log_source_hcs_table(node->logs),
        .listener = {describe, on_state, on_facts, on_remotes, on_assigned, on_registered, node},
    };
    node->session = session_driver_new(&session_options);
    worker_set_node(node->worker, node_id, options->hostname, node->host.architecture, node->host.os);
    worker_start(node->worker, session_driver_assignments(node->session));
}

static int open_renewal(struct node *node, struct error *err)
{
    struct node_options *options = &node->options;
    struct renewal_driver_options renewal_options = {
        .loop = options->loop,
        .clock = options->clock,
        .random = options->random,
        .identity = node->identity,
        .credentials = node->credentials,
        .channel = channel_for_renewal,
        .on_replaced = on_replaced,
        .on_health = on_health,
        .ctx = node,
    };
    return renewal_driver_start(&renewal_options, &node->renewal, err);
}

int node_open_parts(struct node *node, struct error *err)
{
    const struct identity *identity = node->identity;
    if (tls_credentials_set(node->credentials, buf_bytes(&identity->chain_pem), buf_bytes(&identity->key.body_pem),
                            buf_bytes(&identity->root_pem), err) < 0 ||
        open_worker(node, err) < 0)
        return err->code;
    open_session(node);
    if (open_renewal(node, err) < 0)
        log_error("node", "the certificate will not be renewed: %s", err->message);
    return 0;
}

int node_open_tasks(struct node *node, struct error *err)
{
    if (open_worker(node, err) < 0)
        return err->code;
    open_session(node);
    return 0;
}

void node_close_connections(struct node *node)
{
    uv_timer_stop(&node->timer);
    join_driver_free(node->join);
    renewal_driver_free(node->renewal);
    session_driver_free(node->session);
    log_source_hcs_free(node->logs);
    node->join = NULL;
    node->renewal = NULL;
    node->session = NULL;
    node->logs = NULL;
}

/* --- the host goes down --- */

void node_drain(struct node *node)
{
    if (node->worker && !node->is_worker_closing)
        worker_drain(node->worker);
}

bool node_is_drained(const struct node *node, size_t *running)
{
    struct node_stats stats;
    node_stats(node, &stats);
    *running = node->worker && !node->is_worker_closing ? worker_running(node->worker) : 0;
    return *running == 0 && (stats.statuses_waiting == 0 || !stats.has_session);
}
