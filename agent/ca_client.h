/* agent/ca_client.h – the calls a node makes to a manager's CA, one at a time: fetch the root, ask for a certificate, ask what became of
 * it.
 *
 * Answers come as plain bytes and words, so that join and renewal know nothing of messages and channels. Beginning something gives up what
 * was under way; an answer to what was given up never comes. */
#ifndef SKEP_AGENT_CA_CLIENT_H
#define SKEP_AGENT_CA_CLIENT_H

#include <stdbool.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"

struct ca_client;
struct grpc_channel;
struct tls_credentials;

enum ca_answer_kind {
    CA_ANSWER_CONNECTED,
    CA_ANSWER_ROOT,    /* pem: what GetRootCACertificate gave */
    CA_ANSWER_NODE_ID, /* text */
    CA_ANSWER_STATUS,  /* status, role, pem: the chain; pem2: the request it answers; text: why it failed */
    CA_ANSWER_FAILED,  /* error; grpc_status when the peer answered, else -1 */
};

/* Borrowed for the callback. */
struct ca_answer {
    enum ca_answer_kind kind;
    struct bytes pem, pem2;
    const char *text;
    int status, role; /* SwarmKit's IssuanceStatus.State and NodeRole */
    bool is_skep;     /* of a STATUS: the managers are Skep's own */
    int grpc_status;
    const struct error *error;
};

/* From the loop, never from within a function of this header; the client may be freed in it. */
typedef void (*ca_answer_cb)(void *ctx, const struct ca_answer *answer);

struct ca_client *ca_client_new(uv_loop_t *loop, struct clock clock, struct random random, ca_answer_cb on_answer, void *ctx);
void ca_client_free(struct ca_client *client); /* NULL is fine */

/* Make a channel of our own to @addr, in place of any before. Without @server_name nothing is verified and no SNI is sent, as for the
 * download of the root. @credentials borrowed while the channel lives. CONNECTED or FAILED answers it where @awaits_connection; a call
 * may also be begun at once. ERR_INVALID for the address. */
struct ca_dial {
    const char *addr, *server_name;
    struct tls_credentials *credentials;
    bool is_anonymous; /* our certificate is not shown */
    bool awaits_connection;
};
int ca_client_dial(struct ca_client *client, const struct ca_dial *dial, struct error *err);

/* Begin a call: on @lent, a channel of someone else's, or with NULL on the one that was dialled. */
void ca_client_get_root(struct ca_client *client, struct grpc_channel *lent, uint32_t timeout_ms);
void ca_client_request(struct ca_client *client, struct grpc_channel *lent, struct bytes request_pem, const char *token /* or NULL */,
                       int availability, uint32_t timeout_ms);
void ca_client_status(struct ca_client *client, struct grpc_channel *lent, const char *node_id, uint32_t timeout_ms);

void ca_client_give_up(struct ca_client *client); /* the call under way; the channel stays */
void ca_client_close(struct ca_client *client);   /* the call and our own channel */

#endif
