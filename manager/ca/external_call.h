/* manager/ca/external_call.h – an external CA asked from the daemon's loop: a `skep-external-ca` for each question.
 *
 * The pure part (manager/ca/external.h) makes the body and judges the certificate; here is only the way there and back. */
#ifndef SKEP_MANAGER_CA_EXTERNAL_CALL_H
#define SKEP_MANAGER_CA_EXTERNAL_CALL_H

#include <uv.h>

#include "manager/ca/asker.h"

struct ca_external_call;

/* @tool_path NULL: `skep-external-ca` beside our own executable. Nothing of @job is needed afterwards. ERR_INTERNAL when the tool cannot be
 * started. Ends after CA_EXTERNAL_TIMEOUT_MS for each address and CA_EXTERNAL_SLACK_MS, whatever happens. */
int ca_external_call_start(uv_loop_t *loop, const char *tool_path, const struct external_job *job, ca_external_cb on_done, void *ctx,
                           struct ca_external_call **out, struct error *err);
void ca_external_call_cancel(struct ca_external_call *call); /* no callback; not after it. The memory goes by itself */

/* This way as a table, with this manager's papers. */
struct ca_external_way {
    uv_loop_t *loop;
    const char *tool_path; /* as above */
    /* Its certificate's chain and the key in clear, as they are now; borrowed until start() returns. */
    int (*papers)(void *ctx, struct bytes *chain_pem, struct bytes *key_pem, struct error *err);
    void *ctx;
};
struct ca_asker ca_external_asker(const struct ca_external_way *way); /* @way borrowed */

#endif
