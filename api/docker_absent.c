/* api/docker_absent.c – what `docker` asks about and this node has none of: volumes and plugins of its own, and what it does not do. Empty
 * lists where that is the truth, clear refusals where it is not. */
#include "api/call.h"

void docker_volumes_list(struct api_call *call)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddArrayToObject(json, "Volumes");
    cJSON_AddNullToObject(json, "Warnings");
    call_json(call, 200, json);
}

void docker_volume_inspect(struct api_call *call)
{
    call_fail(call, 404, "get %s: no such volume", call->params[0]);
}

void docker_plugins_list(struct api_call *call)
{
    call_json(call, 200, cJSON_CreateArray());
}

void docker_plugin_inspect(struct api_call *call)
{
    call_fail(call, 404, "plugin \"%s\" not found", call->params[0]);
}

void docker_unsupported(struct api_call *call)
{
    call_fail(call, 501, "this is a Skep node: it does not do %s %s", call->ex->method, call->ex->path);
}

void docker_made_by_tasks(struct api_call *call)
{
    call_fail(call, 501,
              "containers on this node are made and ended by swarm tasks only: use `docker service create`, `update` or `rm` on a manager");
}
