/* A service's spec from a client: refused with a reason, or read; and what was read comes back from what is shown. The first byte is the
 * API version. */
#include <stdlib.h>

#include "api/swarm/body.h"
#include "api/swarm/json_config.h"
#include "api/swarm/json_network.h"
#include "api/swarm/json_node.h"
#include "api/swarm/json_secret.h"
#include "api/swarm/json_service.h"
#include "base/json.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_come_back(const cJSON *body, unsigned api_version, struct arena *arena)
{
    Docker__Swarmkit__V1__ServiceSpec *spec, *again;
    Docker__Swarmkit__V1__Service service = DOCKER__SWARMKIT__V1__SERVICE__INIT;
    struct error err = {0};
    if (swarm_read_service_spec(body, api_version, arena, &spec, &err) < 0) {
        if (err.message[0] == '\0')
            abort();
        return;
    }
    service.spec = spec;
    cleanup_json cJSON *shown = swarm_json_service(&service, api_version, NULL);
    cleanup_json cJSON *posted = NULL;
    cleanup_free char *text = json_print(cJSON_GetObjectItem(shown, "Spec"));
    size_t length = strlen(text); /* defaults may have made it too large */
    if (length > API_REQUEST_BODY_BYTES)
        return;
    if (swarm_body_parse(bytes_of(text, length), &posted, &err) < 0)
        abort();
    if (swarm_read_service_spec(posted, api_version, arena, &again, &err) < 0)
        abort();
    service.spec = again;
    cleanup_json cJSON *shown_again = swarm_json_service(&service, api_version, NULL);
    cleanup_free char *text_again = json_print(cJSON_GetObjectItem(shown_again, "Spec"));
    if (strcmp(text, text_again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const unsigned api_version = 24 + data[0] % 29;
    cleanup_json cJSON *body = NULL;
    cleanup_arena struct arena arena = {0};
    struct error err = {0};
    if (swarm_body_parse(bytes_of(data + 1, size - 1), &body, &err) < 0)
        return 0;
    Docker__Swarmkit__V1__NodeSpec *node;
    Docker__Swarmkit__V1__SecretSpec *secret;
    Docker__Swarmkit__V1__ConfigSpec *config;
    Docker__Swarmkit__V1__NetworkSpec *network;
    must_come_back(body, api_version, &arena);
    (void)swarm_read_node_spec(body, api_version, NULL, &arena, &node, &err);
    (void)swarm_read_secret_spec(body, api_version, &arena, &secret, &err);
    (void)swarm_read_config_spec(body, api_version, &arena, &config, &err);
    (void)swarm_read_network_spec(body, api_version, &arena, &network, &err);
    return 0;
}
