/* runtime/image/tool/task.c – see task.h. */
#include "runtime/image/tool/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static struct image_strings strings_of(struct arena *arena, const cJSON *list)
{
    const char **items = arena_alloc(arena, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof *items);
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach (item, list)
        if (cJSON_IsString(item))
            items[count++] = arena_string(arena, item->valuestring);
    return (struct image_strings){items, count};
}

int image_task_parse(struct bytes text, struct task *out, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    int failed = json_parse(text, IMAGE_TASK_SIZE_BYTES, &json, err);
    if (failed < 0)
        return error_wrap(err, "job");
    struct arena *arena = &out->arena;
    const cJSON *platform = json_object(json, "platform");
    out->operation = arena_string(arena, json_string(json, "op", ""));
    out->dir = arena_string(arena, json_string(json, "store", ""));
    out->reference = arena_string(arena, json_string(json, "reference", ""));
    out->name = arena_string(arena, json_string(json, "name", ""));
    out->path = arena_string(arena, json_string(json, "path", NULL));
    out->platform.os = arena_string(arena, json_string(platform, "os", ""));
    out->platform.architecture = arena_string(arena, json_string(platform, "architecture", ""));
    out->platform.variant = arena_string(arena, json_string(platform, "variant", ""));
    out->platform.os_version = arena_string(arena, json_string(platform, "osVersion", ""));
    out->certs_dir = arena_string(arena, json_string(json, "certsDir", ""));
    out->insecure_registries = strings_of(arena, json_array(json, "insecureRegistries"));
    out->in_use = strings_of(arena, json_array(json, "inUse"));
    out->force = json_bool(json, "force", false);
    out->all = json_bool(json, "all", false);
    out->waits = json_bool(json, "waits", false);
    out->superseded = json_bool(json, "superseded", false);
    out->is_daemons = true;
    cJSON *auth = cJSON_GetObjectItemCaseSensitive(json, "registryAuth");
    if (cJSON_IsString(auth)) {
        out->registry_auth = mem_string(auth->valuestring);
        mem_wipe(auth->valuestring, strlen(auth->valuestring));
    }
    return *out->dir ? 0 : error_set(err, ERR_INVALID, "job: no store is named");
}

void image_task_deinit(struct task *task)
{
    if (task->registry_auth)
        mem_wipe(task->registry_auth, strlen(task->registry_auth));
    free(task->registry_auth);
    arena_deinit(&task->arena);
}
