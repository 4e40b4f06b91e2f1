/* A view on an unpacked SessionMessage: pointers into it, and the managers as a list that agent/remotes.h takes. */
#include "agent/session_facts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/swarmkit/dispatcher.pb-c.h"

typedef Docker__Swarmkit__V1__SessionMessage Message;
typedef Docker__Swarmkit__V1__Node Node;
typedef Docker__Swarmkit__V1__NetworkAttachment Attachment;

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static int clamp_weight(int64_t weight)
{
    if (weight > REMOTE_WEIGHT_MAX)
        return REMOTE_WEIGHT_MAX;
    return weight < -REMOTE_WEIGHT_MAX ? -REMOTE_WEIGHT_MAX : (int)weight;
}

static int read_managers(const Message *message, struct session_facts *out, struct error *err)
{
    for (size_t i = 0; i < message->n_managers; i++) {
        const Docker__Swarmkit__V1__Peer *peer = message->managers[i]->peer;
        if (!peer || text_empty(peer->addr))
            continue;
        if (out->manager_count == MANAGERS_COUNT)
            return error_set(err, ERR_LIMIT, "session message: more than %d managers", MANAGERS_COUNT);
        out->managers[out->manager_count++] =
            (struct remote_told){or_empty(peer->node_id), peer->addr, clamp_weight(message->managers[i]->weight)};
    }
    return 0;
}

static void read_attachments(const Node *node, struct session_facts *out)
{
    out->attachments = mem_array(node->n_attachments + 1, sizeof *out->attachments);
    for (size_t i = 0; i < node->n_attachments; i++) {
        const Attachment *attachment = node->attachments[i];
        const Docker__Swarmkit__V1__Network *network = attachment->network;
        bool has_name = network && network->spec && network->spec->annotations;
        out->attachments[out->attachment_count++] =
            (struct session_attachment){network ? or_empty(network->id) : "", has_name ? or_empty(network->spec->annotations->name) : "",
                                        attachment->addresses, attachment->n_addresses};
    }
}

static void read_node(const Node *node, struct session_facts *out)
{
    out->node = node;
    out->node_id = or_empty(node->id);
    out->role = (int)node->role;
    if (node->status)
        out->node_addr = or_empty(node->status->addr);
    if (node->spec) {
        out->desired_role = (int)node->spec->desired_role;
        out->availability = (int)node->spec->availability;
    }
    if (node->certificate && node->certificate->status)
        out->certificate_status = (int)node->certificate->status->state;
    read_attachments(node, out);
}

int session_facts_read(const Message *message, struct session_facts *out, struct error *err)
{
    *out = (struct session_facts){.session_id = or_empty(message->session_id), .node_id = "", .node_addr = ""};
    int result = read_managers(message, out, err);
    if (result < 0)
        return result;
    if (message->node)
        read_node(message->node, out);
    out->is_skep = message->skep;
    out->root_pem = bytes_of(message->rootca.data, message->rootca.len);
    return 0;
}

void session_facts_deinit(struct session_facts *facts)
{
    free(facts->attachments);
    *facts = (struct session_facts){0};
}

void session_facts_wipe(Message *message)
{
    for (size_t i = 0; i < message->n_network_bootstrap_keys; i++)
        mem_wipe(message->network_bootstrap_keys[i]->key.data, message->network_bootstrap_keys[i]->key.len);
}

const char *session_availability_text(int availability)
{
    static const char *const texts[] = {"active", "pause", "drain"};
    return availability >= 0 && availability < 3 ? texts[availability] : "unknown";
}

const char *session_role_text(int role)
{
    return role == 0 ? "worker" : role == 1 ? "manager" : "unknown";
}
