/* manager/ca/tool/post.h – one external CA asked over HTTPS, through libcurl.
 *
 * Mutual TLS, no proxy, no redirect: a manager's certificate and a node's request go to the host that the cluster's spec names and nowhere
 * else. Source: swarmkit-wire §2.6. */
#ifndef SKEP_MANAGER_CA_TOOL_POST_H
#define SKEP_MANAGER_CA_TOOL_POST_H

#include "manager/ca/external_job.h"

/* Ask @url as @job says, within CA_EXTERNAL_TIMEOUT_MS; what it answers with status 200, at most CA_EXTERNAL_RESPONSE_BYTES, is appended to
 * @body. A job without a body ends with the handshake. ERR_INVALID (no https address), ERR_TRUST, ERR_DEADLINE, ERR_UNAVAILABLE, ERR_AGAIN
 * (another status), ERR_LIMIT; all name the address. */
int external_post(const char *url, const struct external_job *job, struct buf *body, struct error *err);

/* The whole job: each address in turn. Returns the answer; freed with free(). */
char *external_work(const struct external_job *job);

#endif
