/* agent/health.h – when to ask a container how it is, and what the answers make of it.
 *
 * Pure: health_next() says when the next probe is due, health_result() takes its exit. The rules are Docker's: the first probe comes one
 * interval after the start; a success makes it healthy; @retries failures in a row make it unhealthy; failures in the start period do not
 * count until the first success; after a timeout the probe has failed. Source: swarmkit-wire §8.1, §8.7. */
#ifndef SKEP_AGENT_HEALTH_H
#define SKEP_AGENT_HEALTH_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct image_healthcheck;
struct Docker__Swarmkit__V1__HealthConfig;

struct health_config {
    bool is_on; /* false: no check at all */
    uint64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    unsigned retries;
};

/* Skep.Health of a container's document: {"Test":["CMD","curl",…],"Command":[…],"Interval":ns,"Timeout":ns,"StartPeriod":ns,
 * "StartInterval":ns,"Retries":n}, durations filled in; NULL when there is no check. Members the service leaves out are the image's; a test
 * of NONE switches the image's off. @shell (count may be 0: /bin/sh -c) runs a CMD-SHELL test. ERR_INVALID naming the member. The object
 * belongs to the caller. */
int health_document(const struct Docker__Swarmkit__V1__HealthConfig *wish, const struct image_healthcheck *image, const char *const *shell,
                    size_t shell_count, cJSON **out, struct error *err);

/* The schedule of such an object; NULL or a strange one: off. */
void health_config_read(const cJSON *document, struct health_config *out);

enum health_status { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct health {
    struct health_config config;
    enum health_status status;
    unsigned failures; /* in a row */
    uint64_t started_ns, next_ns;
    bool is_probing;
};

/* The container started, or was found running, at @now_ns. */
void health_init(struct health *health, const struct health_config *config, uint64_t now_ns);

bool health_is_due(const struct health *health, uint64_t now_ns);
uint64_t health_wake_ns(const struct health *health); /* UINT64_MAX while a probe runs, or without a check */
void health_probe_started(struct health *health);

/* The probe ended; a timeout or one that could not be run is a failure. Returns true when the status changed. */
bool health_result(struct health *health, bool is_success, uint64_t now_ns);

const char *health_status_text(enum health_status status); /* Docker's words: "none", "starting", … */

#endif
