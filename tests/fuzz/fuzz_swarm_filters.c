/* filters= of the swarm's lists, and the other arguments, as texts. */
#include "api/swarm/list_filters.h"
#include "api/swarm/query.h"
#include "base/cleanup.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = mem_string_n((const char *)data, size);
    cleanup_arena struct arena arena = {0};
    struct error err;
    struct filters all;
    Docker__Swarmkit__V1__ListNodesRequest__Filters *nodes;
    Docker__Swarmkit__V1__ListSecretsRequest__Filters *secrets;
    Docker__Swarmkit__V1__ListConfigsRequest__Filters *configs;
    Docker__Swarmkit__V1__ListTasksRequest__Filters *tasks;
    Docker__Swarmkit__V1__ListServicesRequest__Filters *services;
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    Docker__Swarmkit__V1__UpdateServiceRequest__Rollback rollback;
    Docker__Swarmkit__V1__LogSubscriptionOptions *logs;
    const struct swarm_log_query query = {.wants_stdout = true, .tail = text, .since = text};
    uint64_t version;
    bool truth;
    (void)swarm_node_filters(text, &arena, &nodes, &err);
    (void)swarm_secret_filters(text, &arena, &secrets, &err);
    (void)swarm_config_filters(text, &arena, &configs, &err);
    (void)swarm_task_filters(text, &arena, &tasks, &err);
    if (swarm_service_filters(text, &arena, &services, &all, &err) == 0)
        (void)swarm_service_has_mode(&service, &all);
    if (swarm_network_filters(text, &arena, &all, &err) == 0)
        (void)swarm_network_matches(&network, &all);
    (void)swarm_query_version("service", text, &version, &err);
    (void)swarm_query_bool("status", text, &truth, &err);
    (void)swarm_query_rollback(text, &rollback, &err);
    (void)swarm_log_options(&query, &arena, &logs, &err);
    return 0;
}
