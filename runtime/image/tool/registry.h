/* runtime/image/tool/registry.h – one repository at one registry, by the distribution API (v2).
 *
 * Opening asks `GET /v2/` without credentials: it tells whether the registry speaks http or https (only loopback and configured insecure
 * ones may speak http) and how it wants us to identify. Credentials go to the registry itself or to the token service it names, and to
 * that only over https or on loopback. Shared by threads, each with an http of its own. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_REGISTRY_H
#define SKEP_RUNTIME_IMAGE_TOOL_REGISTRY_H

#include "runtime/image/reference.h"
#include "runtime/image/spec.h"
#include "runtime/image/tool/http.h"
#include "runtime/image/tool/task.h"

struct registry;

/* ERR_UNAVAILABLE and ERR_DEADLINE name the host; ERR_TRUST; ERR_PEER when it is no registry; ERR_INVALID for malformed credentials. @task
 * is borrowed; its registry_auth is wiped. */
int registry_open(struct task *task, const struct image_reference *reference, struct http *http, struct registry **out, struct error *err);
void registry_close(struct registry *registry);

/* By tag or digest ("latest", "sha256:…"). A digest is checked. ERR_NOT_FOUND "manifest for x:1 not found: manifest unknown",
 * ERR_UNAUTHENTICATED "unauthorized: …", ERR_PERMISSION "denied: …", ERR_LIMIT, ERR_CORRUPT. Tried again on what passes by itself. */
int registry_manifest(struct registry *registry, struct http *http, const char *which, struct buf *out, struct error *err);

/* The config of an image, by its digest, which is checked; into memory and not into the store. Errors as above. */
int registry_config(struct registry *registry, struct http *http, const char *digest, struct buf *out, struct error *err);

/* Into the store, resumed where an earlier try ended, and checked against digest and size. @shown is the short id in progress lines,
 * NULL for none.
 * Foreign layers come from their own addresses when the registry does not have them: one after the other until one has. ERR_CORRUPT for a
 * wrong digest. The caller holds the blob's lock. */
int registry_blob(struct registry *registry, struct http *http, const struct image_descriptor *blob, const char *shown, struct error *err);

/* For the files of this room: one GET with whatever authorization is needed; ERR_UNAUTHENTICATED when it is not accepted. */
int registry_get(struct registry *registry, struct http *http, const char *url, struct http_request *request,
                 struct http_response *response, struct error *err);
const char *registry_base_url(const struct registry *registry); /* "https://host:port/v2/repository" */
struct task *registry_task(const struct registry *registry);

/* May whoever is at this URL speak http, or show any certificate? Loopback and what is configured as insecure. */
bool registry_may_be_insecure(const struct task *task, const char *url);

/* What an answer that is not 2xx means, with the registry's own words; @what begins the message. Always negative. */
int registry_problem(const struct http_response *response, const char *what, struct error *err);

/* Does it help to try again? Then wait and return true: 0.5 s, doubled each time up to 8 s, or as long as the answer said (30 s at most).
 */
bool registry_try_again(const struct error *err, const struct http_response *response, unsigned tries, const atomic_bool *is_canceled);

#endif
