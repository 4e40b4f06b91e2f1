/* api/json_info.h – the node in Docker's words: /info and /version. Pure. */
#ifndef SKEP_API_JSON_INFO_H
#define SKEP_API_JSON_INFO_H

#include "agent/node.h"
#include "api/api.h"
#include "api/host_facts.h"
#include "base/json.h"

/* What a manager adds to Swarm. */
struct info_swarm {
    bool is_manager;
    size_t nodes, managers;
    cJSON *cluster;    /* borrowed; NULL: not known */
    const char *error; /* why something is not known; NULL: all is */
};

struct info_view {
    const struct api_options *options;
    const struct api_host_facts *host;
    const struct hcs_host *hcs;
    const struct node_info *node;
    const struct info_swarm *swarm; /* NULL: no manager */
    size_t running, paused, stopped, images;
    unsigned event_watchers;
    int64_t now_wall_ns;
};

const char *info_node_state(enum node_local_state state); /* "active" */
cJSON *json_info(const struct info_view *view);
cJSON *json_version(const struct api_host_facts *host, const struct hcs_host *hcs);

#endif
