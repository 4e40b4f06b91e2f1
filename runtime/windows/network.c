/* runtime/windows/network.c – see network.h: what is the same whichever service the host has. */
#include "runtime/windows/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/host.h"
#include "runtime/windows/network_service.h"

enum { PORT_FIRST = 49152, PORT_LAST = 65535, PORT_TRIES = 64 };

/* HCN from the build on that has all of it: a computenetwork.dll of an earlier one is not to be trusted. */
static const struct windows_network_service *service_of(const struct windows_host *host)
{
    if (windows_build_of(host->os_version) < WINDOWS_BUILD_COMPUTECORE)
        return &windows_network_hns;
    return host->api.network.HcnCreateEndpoint || !host->api.vm.HNSCall ? &windows_network_hcn : &windows_network_hns;
}

/* Ports that were left to us: any that the service takes. */
static int create_with_ports(struct windows_system *s, const struct windows_network *network, struct windows_endpoint *out,
                             struct error *err)
{
    static unsigned next;
    const struct document_network *wanted = &s->document.network;
    bool is_free_choice = false;
    int result = ERR_EXISTS;
    struct error last;

    for (size_t i = 0; i < wanted->port_count; i++)
        is_free_choice = is_free_choice || wanted->ports[i].published_port == 0;
    for (int tries = 0; result == ERR_EXISTS && tries < (is_free_choice ? PORT_TRIES : 1); tries++) {
        for (size_t i = 0; i < out->port_count; i++)
            out->published_ports[i] = wanted->ports[i].published_port ? wanted->ports[i].published_port
                                                                      : (uint16_t)(PORT_FIRST + next++ % (PORT_LAST - PORT_FIRST + 1));
        last = (struct error){0};
        result = service_of(s->host)->create(s, network, out, &last);
    }
    return result < 0 ? error_set(err, last.code, "%s", last.message) : 0;
}

int windows_network_attach(struct windows_system *s, struct windows_endpoint *out, struct error *err)
{
    const struct windows_network_service *service = service_of(s->host);
    struct windows_network network = {0};
    int result;

    *out = (struct windows_endpoint){.port_count = s->document.network.port_count};
    if (out->port_count > NETWORK_PORTS_COUNT)
        return error_set(err, ERR_LIMIT, "Skep.Network.Ports: more than %d", NETWORK_PORTS_COUNT);
    if (service->check(s, err) < 0)
        return err->code;
    uv_mutex_lock(&s->host->network_lock);
    result = service->open(s->host, &network, err);
    if (result == 0)
        result = create_with_ports(s, &network, out, err);
    uv_mutex_unlock(&s->host->network_lock);
    if (!out->gateway[0])
        snprintf(out->gateway, sizeof out->gateway, "%s", network.gateway);
    if (result == 0)
        result = service->join(s, out, err);
    if (result < 0)
        windows_network_detach(s, out);
    return result;
}

void windows_network_detach(struct windows_system *s, struct windows_endpoint *endpoint)
{
    if (endpoint->id[0])
        service_of(s->host)->remove(s->host, s->id, endpoint);
    *endpoint = (struct windows_endpoint){0};
}

static void sweep_one(struct windows_host *host, const char *name, const struct windows_endpoint *endpoint)
{
    const char *id = windows_owned_id(host, name);

    if (!id)
        return;
    for (struct windows_system *s = windows_first(host); s; s = s->base.hh.next)
        if (_stricmp(s->run.endpoint.id, endpoint->id) == 0)
            return;
    log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", id}), "its endpoint %s is of an earlier life: deleted", endpoint->id);
    service_of(host)->remove(host, id, endpoint);
}

void windows_network_sweep(struct windows_host *host)
{
    service_of(host)->each(host, sweep_one);
}
