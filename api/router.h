/* api/router.h – which handler answers a request: Docker's paths with their optional /v1.NN in front.
 *
 * A pattern is a path whose parts may be `{name}` (one part, not empty) or `{name*}` (one or more parts, for image names with slashes). */
#ifndef SKEP_API_ROUTER_H
#define SKEP_API_ROUTER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

#define ROUTER_PARAMS_COUNT 2

/* "/v1.41/info": minor version 41 and "/info"; a path without a version gets @newest. ERR_INVALID in dockerd's words for one older than
 * @oldest or newer than @newest (both minors of major 1); a prefix that is no version at all is left in the path. */
int router_version(const char *path, int oldest, int newest, int *minor, const char **rest, struct error *err);

/* Does @path (percent-encoded, without version) match? Fills @params with the decoded parts, in order, made in @arena. */
bool router_match(const char *pattern, const char *path, struct arena *arena, const char *params[ROUTER_PARAMS_COUNT]);

#endif
