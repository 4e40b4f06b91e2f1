/* runtime/windows/system.c – a system's data: found by id, made, freed, shown to others. On the loop. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/windows/host.h"

struct windows_system *windows_find(struct windows_host *host, const char *id)
{
    return (struct windows_system *)compute_find(&host->base, id);
}

char *windows_owned_name(const struct windows_system *s)
{
    return mem_format("%s_%s", s->host->owner, s->id);
}

const char *windows_owned_id(const struct windows_host *host, const char *name)
{
    size_t length = strlen(host->owner);

    return strncmp(name, host->owner, length) == 0 && name[length] == '_' ? name + length + 1 : NULL;
}

struct windows_system *windows_system_new(struct windows_host *host, const char *id)
{
    struct windows_system *s = mem_alloc(sizeof *s);

    s->host = host;
    s->id = mem_string(id);
    s->dir = mem_format("%s\\containers\\%s", host->state_dir, id);
    s->scratch_dir = mem_format("%s\\scratch", s->dir);
    s->log_path = mem_format("%s\\log/output.log", s->dir);
    s->keeper_event = mem_format("Local\\skep-log-%s", id);
    compute_system_init(&s->base, &host->base, s->id);
    return s;
}

int windows_system_use_form(struct windows_system *s, enum windows_form form, struct error *err)
{
    const struct windows_host *host = s->host;

    s->form = form;
    if (form == WINDOWS_FORM_2 && host->core.ops)
        s->service = &host->core;
    else if (host->legacy.ops)
        s->service = &host->legacy;
    else
        return error_set(err, ERR_UNSUPPORTED, "%s", host->missing ? host->missing : "this host has no Host Compute Service");
    free(s->vm_id);
    s->vm_id = s->isolation == ISOLATION_HYPERV && form == WINDOWS_FORM_2 ? mem_format("%s" WINDOWS_VM_SUFFIX, s->id) : NULL;
    return 0;
}

int windows_system_choose(struct windows_system *s, struct error *err)
{
    const struct windows_host *host = s->host;

    s->isolation = s->document.isolation == ISOLATION_DEFAULT ? ISOLATION_PROCESS : s->document.isolation;
    if (s->isolation == ISOLATION_HYPERV && !host->offers_hyperv)
        return error_set(err, ERR_UNSUPPORTED, "Skep.Isolation: this host has no hypervisor: enable the Hyper-V feature");
    if (windows_system_use_form(
            s, windows_form_for(host->schema, s->isolation, host->core.ops != NULL, windows_build_of(s->document.image_os_version)), err) <
        0)
        return err->code;
    return windows_check(&s->document, host->schema, s->isolation, err);
}

void windows_system_free(struct windows_system *s)
{
    cJSON_Delete(s->json);
    arena_deinit(&s->arena);
    free(s->id);
    free(s->vm_id);
    free(s->dir);
    free(s->scratch_dir);
    free(s->log_path);
    free(s->keeper_event);
    free(s->outcome.error);
    free(s);
}

void windows_properties(const struct compute_system *system, struct arena *arena, struct hcs_properties *out)
{
    const struct windows_system *s = (const struct windows_system *)system;
    const struct windows_endpoint *endpoint = &s->run.endpoint;
    const struct document_network *network = &s->document.network;
    struct hcs_port *ports;

    *out = (struct hcs_properties){.id = s->id,
                                   .owner = s->document.owner,
                                   .name = s->document.name,
                                   .document = s->json,
                                   .state = s->base.state,
                                   .pid = compute_runs(&s->base) ? (int64_t)s->run.pid : 0,
                                   .created_wall_ns = s->base.created_wall_ns,
                                   .started_wall_ns = s->outcome.started_wall_ns,
                                   .finished_wall_ns = s->outcome.finished_wall_ns,
                                   .exit_code = s->outcome.exit_code,
                                   .error = s->outcome.error,
                                   .endpoint.network = network->mode == NETWORK_NONE ? "none" : s->host->network_name,
                                   .log_path = s->document.log.is_kept ? s->log_path : NULL};
    if (!compute_runs(&s->base) || endpoint->ip[0] == '\0')
        return;
    out->endpoint.ip = endpoint->ip;
    out->endpoint.gateway = endpoint->gateway;
    out->endpoint.mac = endpoint->mac;
    out->endpoint.prefix_bits = endpoint->prefix_bits;
    ports = arena_alloc(arena, (network->port_count + 1) * sizeof *ports);
    for (size_t i = 0; i < network->port_count && i < NETWORK_PORTS_COUNT; i++)
        ports[i] = (struct hcs_port){network->ports[i].is_udp ? "udp" : "tcp", network->ports[i].target_port, endpoint->published_ports[i]};
    out->ports = ports;
    out->port_count = network->port_count;
}

void windows_take_outcome(struct windows_system *s, struct windows_op *op)
{
    free(s->outcome.error);
    s->outcome = op->outcome;
    op->outcome.error = NULL;
}
