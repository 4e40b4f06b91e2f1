/* manager/membership/join.c – the joiner's side: one question to one manager. */
#include <stdlib.h>

#include "base/mem.h"
#include "manager/membership/membership.h"

struct membership_asking {
    struct grpc_channel *channel;
    membership_admitted_fn *fn;
    void *ctx;
    char *manager;
};

static void end(struct membership_asking *asking, uint64_t raft_id, const struct raft_member *members, size_t count,
                const struct error *err)
{
    if (asking->channel)
        grpc_channel_close(asking->channel);
    if (asking->fn)
        asking->fn(asking->ctx, raft_id, members, count, err);
    free(asking->manager);
    free(asking);
}

static int check(const Docker__Swarmkit__V1__JoinResponse *response, const char *manager, struct error *err)
{
    bool has_self = false;

    for (size_t i = 0; i < response->n_members; i++)
        has_self = has_self || response->members[i]->raft_id == response->raft_id;
    if (response->raft_id == RAFT_NOBODY || response->raft_id >= RAFT_APPLY_THREAD || !has_self)
        return error_set(err, ERR_PEER, "join the managers: %s answered without a usable member id", manager);
    if (response->n_members > RAFT_MEMBERS_COUNT)
        return error_set(err, ERR_LIMIT, "join the managers: %s names %zu members: more than %d", manager, response->n_members,
                         RAFT_MEMBERS_COUNT);
    return 0;
}

static void on_answered(void *ctx, const struct grpc_status *status, ProtobufCMessage *reply)
{
    struct membership_asking *asking = ctx;
    const Docker__Swarmkit__V1__JoinResponse *response = (const void *)reply;
    struct error err = status->error;

    if (status->code != GRPC_OK || !response) {
        error_wrap(&err, "join the managers: %s", asking->manager);
        end(asking, RAFT_NOBODY, NULL, 0, &err);
        return;
    }
    if (check(response, asking->manager, &err) < 0) {
        end(asking, RAFT_NOBODY, NULL, 0, &err);
        return;
    }
    struct raft_member *members = mem_array(response->n_members, sizeof *members);
    for (size_t i = 0; i < response->n_members; i++)
        members[i] = (struct raft_member){response->members[i]->raft_id, response->members[i]->node_id, response->members[i]->addr};
    end(asking, response->raft_id, members, response->n_members, NULL);
    free(members);
}

int membership_ask_to_join(const struct membership_join_options *options, membership_admitted_fn *fn, void *ctx,
                           struct membership_asking **out, struct error *err)
{
    struct membership_asking *asking = mem_alloc(sizeof *asking);
    Docker__Swarmkit__V1__JoinRequest request = DOCKER__SWARMKIT__V1__JOIN_REQUEST__INIT;
    int failed = grpc_channel_new(&(struct grpc_channel_options){.loop = options->loop,
                                                                 .clock = options->clock,
                                                                 .random = options->random,
                                                                 .address = options->manager,
                                                                 .credentials = options->credentials,
                                                                 .server_name = "swarm-manager"},
                                  &asking->channel, err);

    if (failed < 0) {
        free(asking);
        return failed;
    }
    asking->fn = fn;
    asking->ctx = ctx;
    asking->manager = mem_string(options->manager);
    request.skep = true;
    request.addr = (char *)(uintptr_t)options->address;
    grpc_unary(asking->channel, METHOD(RaftMembership, Join), &request.base, &(struct grpc_call_options){.deadline_ms = MEMBERSHIP_JOIN_MS},
               on_answered, asking);
    *out = asking;
    return 0;
}

void membership_ask_cancel(struct membership_asking *asking)
{
    struct grpc_channel *channel;

    if (asking == NULL)
        return;
    channel = asking->channel;
    asking->fn = NULL;
    asking->channel = NULL;
    grpc_channel_abort(channel); /* which ends the call, and its answer frees @asking */
}
