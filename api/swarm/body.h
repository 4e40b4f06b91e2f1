/* api/swarm/body.h – the body of a request about the swarm: hostile bytes until here, JSON behind it. */
#ifndef SKEP_API_SWARM_BODY_H
#define SKEP_API_SWARM_BODY_H

#include <cjson/cJSON.h>

#include "base/buf.h"

/* Parse a body of at most API_REQUEST_BODY_BYTES. An empty one is an empty object, as for dockerd. A whole number of
 * SWARM_JSON_EXACT_DIGITS digits or more becomes the text of its digits: the readers of this room take it for the number it is, which a
 * double may not hold. ERR_LIMIT, and ERR_INVALID also for a text with a zero character in it, which would end it early. */
int swarm_body_parse(struct bytes text, cJSON **out, struct error *err);

/* Wipe every text in it, then free it: for bodies and answers with secrets, join tokens and keys. NULL is fine. */
void swarm_body_free(cJSON *json);

#endif
