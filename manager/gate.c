/* manager/gate.c – every call passes here: who is it, may it, and is it this manager that answers. What only a leader can answer is passed
 * on to it, once. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/access/forward.h"
#include "manager/inside.h"

static bool was_removed(void *ctx, const char *node_id)
{
    struct manager *manager = ctx;
    const Docker__Swarmkit__V1__Cluster *cluster =
        manager->replica ? store_cluster(replica_store(manager->replica), manager->options.cluster_id) : NULL;

    for (size_t i = 0; cluster && i < cluster->n_blacklisted_certificates; i++)
        if (text_equal(cluster->blacklisted_certificates[i]->key, node_id))
            return true;
    return false;
}

static const char *metadatum(void *self, const char *name, size_t index)
{
    return grpc_call_metadata(self, name, index);
}

bool gate_check(struct manager *manager, struct grpc_call *call, struct gate *out)
{
    const struct access_rules rules = {.cluster_id = manager->options.cluster_id, .was_removed = was_removed, .ctx = manager};
    struct error err = {0};

    grpc_call_peer_address(call, out->address);
    out->call = (struct access_call){.callers = grpc_call_method(call)->callers,
                                     .peer = grpc_call_peer(call),
                                     .peer_address = out->address,
                                     .metadata = metadatum,
                                     .self = call};
    if (access_check(&rules, &out->call, &out->caller, &err) == 0)
        return true;
    log_debug(ROOM, "%s from %s: %s", grpc_call_method(call)->path, out->address, err.message);
    grpc_call_finish_error(call, &err);
    return false;
}

bool gate_may_call(void *manager, struct grpc_call *call)
{
    struct gate gate;

    return gate_check(manager, call, &gate);
}

/* An agent whose session is refused comes back later and later, after a leader's death for longer than an election takes. So it waits here
 * instead, until it is known who leads now (gate_look()), or its own patience has an end. */
static bool waits_for_leader(const struct grpc_call *call)
{
    return grpc_call_method(call) == METHOD(Dispatcher, Session);
}

static bool pass_on(struct manager *manager, struct grpc_call *call, const struct gate *gate, struct error *err)
{
    struct grpc_metadatum metadata[ACCESS_FORWARD_MOST];
    struct grpc_channel *channel;

    if (access_may_forward(&gate->call, err) < 0 || gate_leader(manager, &channel, err) < 0)
        return false;
    forward_call(call, channel, metadata, access_forward_metadata(&gate->call, &gate->caller, metadata), waits_for_leader(call));
    return true;
}

bool gate_enter(struct manager *manager, struct grpc_call *call, struct gate *out)
{
    struct error err = {0};

    if (!gate_check(manager, call, out))
        return false;
    if (manager_is_leading(manager))
        return true;
    if (!pass_on(manager, call, out, &err))
        grpc_call_finish_error(call, &err);
    return false;
}

/* --- to the leader --- */

void gate_close(struct manager *manager)
{
    struct grpc_channel *channel = manager->to_leader;

    free(manager->to_leader_address);
    manager->to_leader_address = NULL;
    manager->to_leader = NULL; /* first: who asked through it and is told now may ask again */
    if (channel)
        grpc_channel_abort(channel); /* the one who does not answer needs no farewell */
}

static int dial(struct manager *manager, const char *address, struct error *err)
{
    const struct grpc_channel_options options = {.loop = manager->options.loop,
                                                 .clock = manager->options.clock,
                                                 .random = manager->options.random,
                                                 .address = address,
                                                 .credentials = manager->options.credentials,
                                                 .server_name = "swarm-manager",
                                                 .reconnects = true};

    if (manager->to_leader && text_equal(manager->to_leader_address, address))
        return 0;
    gate_close(manager);
    if (manager->to_leader) /* by one who asked again */
        return 0;
    if (grpc_channel_new(&options, &manager->to_leader, err) < 0)
        return err->code;
    manager->to_leader_address = mem_string(address);
    return 0;
}

/* Calls to one who leads no more end, so that nobody waits for what cannot come. */
void gate_look(struct manager *manager, const struct raft_node_status *status)
{
    bool is_stale =
        status->leader == status->id || (status->leader_address && !text_equal(status->leader_address, manager->to_leader_address));

    if (manager->to_leader && status->leader != RAFT_NOBODY && is_stale)
        gate_close(manager);
}

int gate_leader(struct manager *manager, struct grpc_channel **out, struct error *err)
{
    struct raft_node_status status = {0};

    if (manager->replica && !manager->is_closing)
        raft_node_status(replica_raft(manager->replica), &status);
    if (status.leader == RAFT_NOBODY || status.leader_address == NULL)
        return error_set(err, ERR_UNAVAILABLE,
                         "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of "
                         "the managers are online.");
    if (status.leader == status.id)
        return error_set(err, ERR_UNAVAILABLE, "this manager was elected and is still reading up: ask again in a moment");
    if (dial(manager, status.leader_address, err) < 0)
        return error_wrap(err, "the leader");
    *out = manager->to_leader;
    return 0;
}
