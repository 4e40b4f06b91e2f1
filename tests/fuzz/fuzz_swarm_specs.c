/* The specs of a swarm's smaller objects, from a client: nodes, secrets, configs, networks. Refused with a reason, or read and shown again.
 */
#include <stdlib.h>

#include "api/swarm/body.h"
#include "api/swarm/json_config.h"
#include "api/swarm/json_network.h"
#include "api/swarm/json_node.h"
#include "api/swarm/json_secret.h"
#include "base/json.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_print(cJSON *shown)
{
    cleanup_json cJSON *json = shown;
    cleanup_free char *text = json_print(json);
    if (text == NULL)
        abort();
}

static int node(const cJSON *body, unsigned version, struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__Node node = DOCKER__SWARMKIT__V1__NODE__INIT;
    int rc = swarm_read_node_spec(body, version, NULL, arena, &node.spec, err);
    if (rc == 0)
        must_print(swarm_json_node(&node, version));
    return rc;
}

static int secret(const cJSON *body, unsigned version, struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;
    int rc = swarm_read_secret_spec(body, version, arena, &secret.spec, err);
    if (rc == 0) {
        must_print(swarm_json_secret(&secret, version));
        message_wipe(&secret.spec->base);
    }
    return rc;
}

static int config(const cJSON *body, unsigned version, struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__Config config = DOCKER__SWARMKIT__V1__CONFIG__INIT;
    int rc = swarm_read_config_spec(body, version, arena, &config.spec, err);
    if (rc == 0)
        must_print(swarm_json_config(&config, version));
    return rc;
}

static int network(const cJSON *body, unsigned version, struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__Network network = DOCKER__SWARMKIT__V1__NETWORK__INIT;
    int rc = swarm_read_network_spec(body, version, arena, &network.spec, err);
    if (rc == 0)
        must_print(swarm_json_network(&network, version));
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const readers[])(const cJSON *body, unsigned version, struct arena *arena, struct error *err) = {node, secret, config,
                                                                                                                  network};
    if (size == 0)
        return 0;
    cleanup_arena struct arena arena = {0};
    struct error err = {0};
    cJSON *body = NULL;
    if (swarm_body_parse(bytes_of(data + 1, size - 1), &body, &err) < 0)
        return 0;
    if (readers[data[0] % 4](body, 24 + data[0] / 4 % 29, &arena, &err) < 0 && err.message[0] == '\0')
        abort();
    swarm_body_free(body);
    return 0;
}
