/* A swarm's spec and the requests around it, from a client: refused with a reason, or read and laid over another. */
#include <stdlib.h>

#include "api/swarm/body.h"
#include "api/swarm/json_cluster.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_say_why(int rc, const struct error *err)
{
    if (rc < 0 && err->message[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const unsigned api_version = 24 + data[0] % 29;
    cleanup_arena struct arena arena = {0};
    cleanup_json cJSON *body = NULL;
    struct error err = {0};
    Docker__Swarmkit__V1__ClusterSpec *spec, *over;
    struct swarm_init_request request;
    const char *key;
    if (swarm_body_parse(bytes_of(data + 1, size - 1), &body, &err) < 0)
        return 0;
    must_say_why(swarm_read_init(body, api_version, &arena, &request, &err), &err);
    must_say_why(swarm_read_unlock(body, &key, &err), &err);
    int rc = swarm_read_cluster_spec(body, api_version, NULL, &arena, &spec, &err);
    must_say_why(rc, &err);
    if (rc < 0)
        return 0;
    if (swarm_read_cluster_spec(body, api_version, spec, &arena, &over, &err) < 0) /* over itself it fits */
        abort();
    Docker__Swarmkit__V1__Cluster cluster = DOCKER__SWARMKIT__V1__CLUSTER__INIT;
    cluster.spec = over;
    cleanup_json cJSON *shown = swarm_json_cluster(&cluster, api_version);
    cleanup_free char *text __attribute__((unused)) = json_print(shown); /* which must not fail on what was read */
    return 0;
}
