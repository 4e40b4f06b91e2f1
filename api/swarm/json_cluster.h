/* api/swarm/json_cluster.h – the swarm itself as Docker's JSON: /swarm, /swarm/init, /swarm/update, /swarm/unlockkey, /swarm/unlock, and
 * the cluster in /info. Pure. */
#ifndef SKEP_API_SWARM_JSON_CLUSTER_H
#define SKEP_API_SWARM_JSON_CLUSTER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "proto/swarmkit/objects.pb-c.h"

/* GET /swarm, join tokens included: the JSON is a secret (swarm_body_free). A CA's key is never in it. */
cJSON *swarm_json_cluster(const Docker__Swarmkit__V1__Cluster *cluster, unsigned api_version);

/* The same without join tokens: Swarm.Cluster of /info. */
cJSON *swarm_json_cluster_info(const Docker__Swarmkit__V1__Cluster *cluster, unsigned api_version);

/* GET /swarm/unlockkey; "" or NULL where there is none. A secret, too. */
cJSON *swarm_json_unlock_key(const char *key);

/* A cluster's Spec, laid over @base (NULL: over nothing): what the JSON leaves out, or has as zero, stays as it is there. dockerd lays an
 * update over nothing, for clients send the whole spec; and what comes with /swarm/init over the new cluster's own spec.
 * The only name there is, is "default". A signing CA's key may be in @out: message_wipe() it before the arena goes. */
int swarm_read_cluster_spec(const cJSON *json, unsigned api_version, const Docker__Swarmkit__V1__ClusterSpec *base, struct arena *arena,
                            Docker__Swarmkit__V1__ClusterSpec **out, struct error *err);

/* POST /swarm/init. Texts are "" where not given; all lives in the arena but @spec, which is the JSON's: NULL, or for
 * swarm_read_cluster_spec over the new cluster's spec. It was read once to see that it is good. */
struct swarm_init_request {
    const char *listen_addr, *advertise_addr, *data_path_addr;
    uint32_t data_path_port; /* 0: the default */
    bool force_new_cluster, autolock_managers;
    const char *availability; /* "active", "pause", "drain"; "": active */
    char **default_addr_pool; /* CIDRs */
    size_t default_addr_pool_count;
    uint32_t subnet_size; /* in bits; 0: the default */
    const cJSON *spec;
};

int swarm_read_init(const cJSON *json, unsigned api_version, struct arena *arena, struct swarm_init_request *out, struct error *err);

/* POST /swarm/unlock: the key, borrowed from the JSON. */
int swarm_read_unlock(const cJSON *json, const char **key, struct error *err);

#endif
