/* manager/control/service_others.c – a service beside the other objects: its ports, networks, secrets and configs. */
#include "base/text.h"
#include "manager/control/inside.h"

#define PORT_MOST 65535u

typedef const Docker__Swarmkit__V1__PortConfig *port;

static bool is_ingress(port one)
{
    return one->publish_mode == DOCKER__SWARMKIT__V1__PORT_CONFIG__PUBLISH_MODE__INGRESS;
}

static bool is_same(port a, port b)
{
    return a->published_port != 0 && a->published_port == b->published_port && a->protocol == b->protocol;
}

/* --- without the store --- */

static int check_port(const Docker__Swarmkit__V1__EndpointSpec *endpoint, size_t at, struct error *err)
{
    port one = endpoint->ports[at];

    if (is_ingress(one) && endpoint->mode == DOCKER__SWARMKIT__V1__ENDPOINT_SPEC__RESOLUTION_MODE__DNSRR)
        return error_set(err, ERR_INVALID, "EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    for (size_t before = 0; before < at; before++)
        if (is_same(one, endpoint->ports[before]))
            return error_set(err, ERR_INVALID, "EndpointSpec: duplicate published ports provided");
    if (one->target_port == 0 || one->target_port > PORT_MOST || one->published_port > PORT_MOST)
        return error_set(err, ERR_INVALID, "EndpointSpec: port %u to %u: ports are from 1 to %u", one->published_port, one->target_port,
                         PORT_MOST);
    return 0;
}

/* Of the mode nothing else is asked: docker sends vip wherever nobody says otherwise. */
int service_check_endpoint(const Docker__Swarmkit__V1__EndpointSpec *endpoint, struct error *err)
{
    int failed = 0;

    if (endpoint == NULL)
        return 0;
    if (endpoint->n_ports > CONTAINER_PORTS_COUNT)
        return error_set(err, ERR_INVALID, "EndpointSpec: %zu ports: more than %d", endpoint->n_ports, CONTAINER_PORTS_COUNT);
    for (size_t i = 0; i < endpoint->n_ports && failed == 0; i++)
        failed = check_port(endpoint, i, err);
    return failed;
}

/* --- ports --- */

/* @theirs is a port of another service's. Two that publish on the nodes themselves are for the scheduler to keep apart. */
static int check_conflict(const Docker__Swarmkit__V1__EndpointSpec *endpoint, port theirs, const Docker__Swarmkit__V1__Service *service,
                          struct error *err)
{
    for (size_t i = 0; i < endpoint->n_ports; i++) {
        port ours = endpoint->ports[i];
        if (is_same(ours, theirs) && (is_ingress(ours) || is_ingress(theirs)))
            return error_set(err, ERR_INVALID, "port '%u' is already in use by service '%s' (%s) as %s port", theirs->published_port,
                             service->spec->annotations ? service->spec->annotations->name : "", service->id,
                             is_ingress(theirs) ? "an ingress" : "a host-published");
    }
    return 0;
}

static int check_conflicts(const Docker__Swarmkit__V1__EndpointSpec *endpoint, const Docker__Swarmkit__V1__Service *service,
                           struct error *err)
{
    const Docker__Swarmkit__V1__EndpointSpec *wished = service->spec->endpoint;
    const Docker__Swarmkit__V1__Endpoint *given = service->endpoint;
    int failed = 0;

    for (size_t i = 0; wished && i < wished->n_ports && failed == 0; i++)
        failed = check_conflict(endpoint, wished->ports[i], service, err);
    for (size_t i = 0; given && i < given->n_ports && failed == 0; i++)
        failed = check_conflict(endpoint, given->ports[i], service, err);
    return failed;
}

static int check_supported(const Docker__Swarmkit__V1__EndpointSpec *endpoint, struct error *err)
{
    for (size_t i = 0; i < endpoint->n_ports; i++) {
        port one = endpoint->ports[i];
        unsigned shown = one->published_port ? one->published_port : one->target_port;
        if (is_ingress(one))
            return error_set(err, ERR_UNSUPPORTED,
                             "port %u: this cluster has no routing mesh (ingress mode) yet; publish the port on the nodes that run the "
                             "tasks instead, with --publish mode=host,target=%u,published=%u",
                             shown, one->target_port, shown);
    }
    return 0;
}

int service_check_ports(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, const char *service_id, struct error *err)
{
    struct store_cursor cursor;
    const Docker__Swarmkit__V1__Service *service;
    int failed = 0;

    if (spec->endpoint == NULL || spec->endpoint->n_ports == 0)
        return 0;
    store_tx_find(tx, STORE_SERVICE, STORE_ALL, NULL, &cursor);
    while (failed == 0 && (service = (const void *)store_next(&cursor)) != NULL)
        if (service->spec && strcmp(service->id, service_id) != 0)
            failed = check_conflicts(spec->endpoint, service, err);
    return failed < 0 ? failed : check_supported(spec->endpoint, err);
}

/* --- networks --- */

static int check_network(struct store_tx *tx, const char *id, struct error *err)
{
    const Docker__Swarmkit__V1__Network *network = store_tx_network(tx, id);

    if (network == NULL)
        return error_set(err, ERR_NOT_FOUND, "network %.64s not found", id);
    const char *name = store_message_name(STORE_NETWORK, &network->base);
    if (network->spec && network->spec->ingress)
        return error_set(err, ERR_INVALID, "Service cannot be explicitly attached to the ingress network \"%s\"", name);
    if (!network_is_predefined(network))
        return error_set(err, ERR_UNSUPPORTED,
                         "network %s: this cluster has no overlay networks yet; use the network host or bridge of the nodes, or none, and "
                         "publish ports with mode=host",
                         name);
    return 0;
}

static int check_networks(struct store_tx *tx, Docker__Swarmkit__V1__NetworkAttachmentConfig *const *networks, size_t count,
                          struct error *err)
{
    int failed = 0;

    for (size_t i = 0; i < count && failed == 0; i++)
        failed = check_network(tx, networks[i]->target, err);
    return failed;
}

int service_check_networks(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err)
{
    int failed = check_networks(tx, spec->task->networks, spec->task->n_networks, err);
    return failed < 0 ? failed : check_networks(tx, spec->networks, spec->n_networks, err);
}

/* --- secrets and configs --- */

/* What a reference names is there under its id. The missing ones' names are counted and listed. */
static void look_for(struct store_tx *tx, enum store_kind kind, const char *id, const char *name, size_t *missing, struct buf *names)
{
    const ProtobufCMessage *found = store_tx_get(tx, kind, id);

    if (found && strcmp(store_message_name(kind, found), name) == 0)
        return;
    buf_append_format(names, "%s%s", (*missing)++ ? ", " : "", name);
}

static int refuse_missing(const char *kind, size_t missing, const struct buf *names, struct error *err)
{
    if (missing == 0)
        return 0;
    return error_set(err, ERR_INVALID, "%s%s not found: %s", kind, missing == 1 ? "" : "s", (const char *)names->data);
}

int service_check_existence(struct store_tx *tx, const Docker__Swarmkit__V1__ServiceSpec *spec, struct error *err)
{
    const Docker__Swarmkit__V1__TaskSpec *task = spec->task;
    cleanup_buf struct buf secrets = {0}, configs = {0};
    size_t missing = 0;

    if (task->runtime_case != DOCKER__SWARMKIT__V1__TASK_SPEC__RUNTIME_CONTAINER)
        return 0;
    for (size_t i = 0; i < task->container->n_secrets; i++)
        look_for(tx, STORE_SECRET, task->container->secrets[i]->secret_id, task->container->secrets[i]->secret_name, &missing, &secrets);
    int failed = refuse_missing("secret", missing, &secrets, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < task->container->n_configs; i++)
        look_for(tx, STORE_CONFIG, task->container->configs[i]->config_id, task->container->configs[i]->config_name, &missing, &configs);
    return refuse_missing("config", missing, &configs, err);
}
