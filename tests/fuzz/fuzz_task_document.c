/* A Task from the wire becomes a container's document that the runtime can read, or a clear error. */
#include <stdlib.h>

#include "agent/container_document.h"
#include "base/json.h"
#include "proto/swarmkit/objects.pb-c.h"
#include "runtime/document.h"
#include "runtime/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const command[] = {"sh"}, *const env[] = {"PATH=/bin", "A=b"}, *const volumes[] = {"/data"};
    static const struct image_layer layer = {"sha256:0", "/layer"};
    const struct image image = {
        .id = "sha256:0", .layers = &layer, .layer_count = 1, .config = {.cmd = {command, 1}, .env = {env, 2}, .volumes = {volumes, 1}}};
    const struct container_node node = {"node", "host", "x86_64", "linux"};
    const struct container_facts facts = {.node = &node, .container_id = "c", .isolation = ISOLATION_PROCESS};
    Docker__Swarmkit__V1__Task *task = docker__swarmkit__v1__task__unpack(NULL, size, data);
    if (!task)
        return 0;
    struct error err = {0};
    cleanup_json cJSON *json = NULL;
    struct document document;
    cleanup_arena struct arena arena = {0};
    if (container_document(task, &image, &facts, &json, &err) < 0) {
        if (err.message[0] == '\0')
            abort();
    } else {
        (void)document_parse(json, &arena, &document, &err);
        if (container_check(task, &node, &err) < 0) /* what was made must also pass the check */
            abort();
    }
    (void)container_stop_grace_ms(task);
    docker__swarmkit__v1__task__free_unpacked(task, NULL);
    return 0;
}
