#include "agent/task_files.h"

#include <stdlib.h>
#include <string.h>

#include "agent/assignments.h"
#include "agent/template.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/swarmkit/objects.pb-c.h"

typedef Docker__Swarmkit__V1__Task Task;
typedef Docker__Swarmkit__V1__ContainerSpec ContainerSpec;
typedef Docker__Swarmkit__V1__Secret Secret;
typedef Docker__Swarmkit__V1__Config Config;

struct sources {
    const Task *task;
    const ContainerSpec *spec;
    const struct assignments *assignments;
    const struct container_node *node;
};

static struct bytes bytes_of_data(const ProtobufCBinaryData *data)
{
    return bytes_of(data->data, data->len);
}

static const Secret *find_secret(const struct sources *sources, const char *id)
{
    const Secret *secret = sources->assignments ? assignments_secret(sources->assignments, sources->task->id, id) : NULL;
    return secret && secret->spec ? secret : NULL;
}

static const Config *find_config(const struct sources *sources, const char *id)
{
    const Config *config = sources->assignments ? assignments_config(sources->assignments, id) : NULL;
    return config && config->spec ? config : NULL;
}

/* --- the functions of a payload: other payloads by their target's name, and the environment --- */

static int template_secret(void *self, const char *target, struct buf *out, struct error *err)
{
    const struct sources *sources = self;
    for (size_t i = 0; i < sources->spec->n_secrets; i++) {
        const Docker__Swarmkit__V1__SecretReference *reference = sources->spec->secrets[i];
        bool is_it =
            reference->target_case == DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE && text_equal(reference->file->name, target);
        const Secret *secret = is_it ? find_secret(sources, reference->secret_id) : NULL;
        if (secret) {
            buf_append(out, secret->spec->data.data, secret->spec->data.len);
            return 0;
        }
    }
    return error_set(err, ERR_NOT_FOUND, "secret target %s not found", target);
}

static int template_config(void *self, const char *target, struct buf *out, struct error *err)
{
    const struct sources *sources = self;
    for (size_t i = 0; i < sources->spec->n_configs; i++) {
        const Docker__Swarmkit__V1__ConfigReference *reference = sources->spec->configs[i];
        bool is_it =
            reference->target_case == DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE && text_equal(reference->file->name, target);
        const Config *config = is_it ? find_config(sources, reference->config_id) : NULL;
        if (config) {
            buf_append(out, config->spec->data.data, config->spec->data.len);
            return 0;
        }
    }
    return error_set(err, ERR_NOT_FOUND, "config target %s not found", target);
}

static int template_env(void *self, const char *name, struct buf *out, struct error *err)
{
    const struct sources *sources = self;
    (void)err;
    for (size_t i = 0; i < sources->spec->n_env; i++) {
        int length = text_key_length(sources->spec->env[i]);
        if (length > 0 && strlen(name) == (size_t)length && strncmp(sources->spec->env[i], name, (size_t)length) == 0) {
            buf_append_string(out, sources->spec->env[i] + length + 1);
            return 0;
        }
    }
    return 0;
}

/* As dockerd: a payload's template knows the node's id, and nothing of its description. */
static int expand(const struct sources *sources, struct bytes payload, struct buf *out, struct error *err)
{
    const struct container_node node = {.id = sources->node->id};
    struct template_context context;
    cleanup_arena struct arena arena = {0};
    container_template_context(sources->task, &node, &arena, &context);
    context.secret = template_secret;
    context.config = template_config;
    context.env = template_env;
    context.self = (void *)sources;
    return template_expand(payload, &context, out, err);
}

static int add(const struct sources *sources, struct bytes payload, const Docker__Swarmkit__V1__Driver *templating, const char *kind,
               const char *name, const cJSON *file, struct task_files *out, struct error *err)
{
    struct buf content = {.is_secret = true};
    int result = 0;
    if (templating && text_equal(templating->name, "golang"))
        result = expand(sources, payload, &content, err);
    else
        buf_append(&content, payload.data, payload.size);
    if (result == 0 && content.size > CONTAINER_FILE_SIZE_BYTES)
        result = error_set(err, ERR_LIMIT, "larger than %u bytes", CONTAINER_FILE_SIZE_BYTES);
    if (result < 0) {
        buf_deinit(&content);
        return error_wrap(err, "%s %s", kind, name);
    }
    out->items[out->count++] = (struct hcs_file_content){json_string(file, "Target", ""), bytes_of(content.data, content.size)};
    return 0;
}

static int add_secrets(const struct sources *sources, const cJSON **file, struct task_files *out, struct error *err)
{
    for (size_t i = 0; i < sources->spec->n_secrets; i++) {
        const Docker__Swarmkit__V1__SecretReference *reference = sources->spec->secrets[i];
        if (reference->target_case != DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE)
            continue;
        const Secret *secret = find_secret(sources, reference->secret_id);
        if (!secret)
            return error_set(err, ERR_NOT_FOUND, "secret %s is not assigned to this node", reference->secret_name);
        if (!*file)
            return error_set(err, ERR_INTERNAL, "secret %s has no place in the container's document", reference->secret_name);
        int result =
            add(sources, bytes_of_data(&secret->spec->data), secret->spec->templating, "secret", reference->secret_name, *file, out, err);
        if (result < 0)
            return result;
        *file = (*file)->next;
    }
    return 0;
}

static int add_configs(const struct sources *sources, const cJSON **file, struct task_files *out, struct error *err)
{
    for (size_t i = 0; i < sources->spec->n_configs; i++) {
        const Docker__Swarmkit__V1__ConfigReference *reference = sources->spec->configs[i];
        if (reference->target_case != DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE)
            continue;
        const Config *config = find_config(sources, reference->config_id);
        if (!config)
            return error_set(err, ERR_NOT_FOUND, "config %s is not assigned to this node", reference->config_name);
        if (!*file)
            return error_set(err, ERR_INTERNAL, "config %s has no place in the container's document", reference->config_name);
        int result =
            add(sources, bytes_of_data(&config->spec->data), config->spec->templating, "config", reference->config_name, *file, out, err);
        if (result < 0)
            return result;
        *file = (*file)->next;
    }
    return 0;
}

int task_files_collect(const Task *task, const cJSON *document, const struct assignments *assignments, const struct container_node *node,
                       struct task_files *out, struct error *err)
{
    const struct sources sources = {task, task->spec->container, assignments, node};
    const cJSON *files = json_array(json_object(document, "Skep"), "Files");
    const cJSON *file = files ? files->child : NULL;
    *out = (struct task_files){mem_array((size_t)cJSON_GetArraySize(files) + 1, sizeof *out->items), 0};
    int result = add_secrets(&sources, &file, out, err);
    if (result == 0)
        result = add_configs(&sources, &file, out, err);
    if (result < 0)
        task_files_deinit(out);
    return result;
}

/* The reference that gives the config its name for people; it has no place in the container. */
static const char *config_name(const ContainerSpec *spec, const char *id)
{
    for (size_t i = 0; i < spec->n_configs; i++)
        if (text_equal(spec->configs[i]->config_id, id))
            return spec->configs[i]->config_name;
    return id;
}

int task_credential_spec(const Task *task, const struct assignments *assignments, cJSON *document, struct error *err)
{
    const ContainerSpec *spec = task->spec->container;
    const Docker__Swarmkit__V1__Privileges__CredentialSpec *source = spec->privileges ? spec->privileges->credential_spec : NULL;
    const struct sources sources = {task, spec, assignments, NULL};
    cJSON *windows = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(document, "Skep"), "Windows");

    if (!source || source->source_case != DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG || !windows)
        return 0;
    const Config *config = find_config(&sources, source->config);
    const char *name = config_name(spec, source->config);
    if (!config)
        return error_set(err, ERR_NOT_FOUND, "credential spec: config %s is not assigned to this node", name);
    struct bytes data = bytes_of_data(&config->spec->data);
    if (data.size == 0 || data.size > CREDENTIAL_SPEC_SIZE_BYTES || memchr(data.data, 0, data.size))
        return error_set(err, ERR_INVALID, "credential spec: config %s is no text of up to %u bytes", name, CREDENTIAL_SPEC_SIZE_BYTES);
    cleanup_free char *text = mem_format("raw://%.*s", (int)data.size, (const char *)data.data);
    cJSON_ReplaceItemInObjectCaseSensitive(windows, "CredentialSpec", cJSON_CreateString(text));
    return 0;
}

void task_files_deinit(struct task_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->items[i].content.data)
            mem_wipe((void *)files->items[i].content.data, files->items[i].content.size);
        free((void *)files->items[i].content.data);
    }
    free(files->items);
    *files = (struct task_files){0};
}
