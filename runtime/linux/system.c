/* runtime/linux/system.c – a system's data: found by id, made, freed, shown to others. On the loop. */
#include <stdlib.h>

#include "base/mem.h"
#include "runtime/linux/linux.h"

struct linux_system *linux_find(struct linux_host *host, const char *id)
{
    return (struct linux_system *)compute_find(&host->base, id);
}

struct linux_system *linux_system_new(struct linux_host *host, const char *id)
{
    struct linux_system *s = mem_alloc(sizeof *s);

    s->host = host;
    s->id = mem_string(id);
    s->stop_fd = -1;
    s->dir = mem_format("%s/containers/%s", host->state_dir, id);
    s->run_dir = mem_format("%s/containers/%s", host->run_dir, id);
    s->log_path = mem_format("%s/log/output.log", s->dir);
    compute_system_init(&s->base, &host->base, s->id);
    return s;
}

void linux_system_free(struct linux_system *s)
{
    cJSON_Delete(s->json);
    arena_deinit(&s->arena);
    network_endpoint_deinit(&s->run.endpoint);
    free(s->id);
    free(s->dir);
    free(s->run_dir);
    free(s->log_path);
    free(s->outcome.error);
    free(s);
}

void linux_properties(const struct compute_system *system, struct arena *arena, struct hcs_properties *out)
{
    static const char *const networks[] = {"bridge", "host", "none"};
    const struct linux_system *s = (const struct linux_system *)system;
    bool runs = compute_runs(system);
    const struct network_endpoint *endpoint = &s->run.endpoint;
    struct hcs_port *ports;

    *out = (struct hcs_properties){.id = s->id,
                                   .owner = s->document.owner,
                                   .name = s->document.name,
                                   .document = s->json,
                                   .state = s->base.state,
                                   .pid = runs ? s->run.init.pid : 0,
                                   .created_wall_ns = s->base.created_wall_ns,
                                   .started_wall_ns = s->outcome.started_wall_ns,
                                   .finished_wall_ns = s->outcome.finished_wall_ns,
                                   .exit_code = s->outcome.exit_code,
                                   .is_oom_killed = s->outcome.is_oom_killed,
                                   .error = s->outcome.error,
                                   .endpoint.network = networks[s->document.network.mode],
                                   .log_path = s->document.log.is_kept ? s->log_path : NULL};
    if (!runs || endpoint->ip[0] == '\0')
        return;
    out->endpoint.ip = endpoint->ip;
    out->endpoint.gateway = endpoint->gateway;
    out->endpoint.mac = endpoint->mac;
    out->endpoint.prefix_bits = endpoint->prefix_bits;
    ports = arena_alloc(arena, (endpoint->port_count + 1) * sizeof *ports);
    for (size_t i = 0; i < endpoint->port_count; i++)
        ports[i] =
            (struct hcs_port){endpoint->ports[i].is_udp ? "udp" : "tcp", endpoint->ports[i].target_port, endpoint->ports[i].published_port};
    out->ports = ports;
    out->port_count = endpoint->port_count;
}

void linux_take_outcome(struct linux_system *s, struct linux_op *op)
{
    free(s->outcome.error);
    s->outcome = op->outcome;
    op->outcome.error = NULL;
}
