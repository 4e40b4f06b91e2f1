/* manager/control/payload.c – secrets and configs: what is handed to tasks as files. They are alike but for this: nobody is told a secret's
 * data. Once made they do not change, but for their labels. */
#include "manager/control/inside.h"

/* --- both --- */

/* Services that refer to it stand in the way: their names, in one sentence. */
static int check_unused(struct store_tx *tx, enum store_kind kind, enum store_by by, const char *id, struct error *err)
{
    const ProtobufCMessage *payload = store_tx_get(tx, kind, id), *service;
    cleanup_buf struct buf names = {0};
    struct store_cursor cursor;
    size_t count = 0;

    store_tx_find(tx, STORE_SERVICE, by, id, &cursor);
    while ((service = store_next(&cursor)) != NULL)
        buf_append_format(&names, "%s%s", count++ ? ", " : "", store_message_name(STORE_SERVICE, service));
    if (count == 0)
        return 0;
    return error_set(err, ERR_INVALID, "%s '%s' is in use by the following service%s: %s", store_kind_info(kind)->name,
                     store_message_name(kind, payload), count == 1 ? "" : "s", (const char *)names.data);
}

static int remove_payload(struct call *call, struct store_tx *tx, enum store_kind kind, enum store_by by, struct error *err)
{
    if (store_tx_get(tx, kind, call->id) == NULL)
        return error_set(err, ERR_NOT_FOUND, "could not find %s %s", store_kind_info(kind)->name, call->id);
    int failed = check_unused(tx, kind, by, call->id, err);
    return failed < 0 ? failed : store_tx_remove(tx, kind, call->id, err);
}

static int check_payload_id(const char *id, const char *kind, struct error *err)
{
    if (id[0] == 0)
        return error_set(err, ERR_INVALID, "%s ID must be provided", kind);
    return form_check_id(id, err);
}

static int check_size(const ProtobufCBinaryData *data, const char *kind, size_t most_bytes, struct error *err)
{
    if (data->len == 0 || data->len >= most_bytes)
        return error_set(err, ERR_INVALID, "%s data must be larger than 0 and less than %zu bytes", kind, most_bytes);
    return 0;
}

/* Only labels may be others than before: @data, where it is given at all, is what is there. */
static int check_same(const Docker__Swarmkit__V1__Annotations *old, const Docker__Swarmkit__V1__Annotations *proposed,
                      const ProtobufCBinaryData *old_data, const ProtobufCBinaryData *data, struct error *err)
{
    bool has_name = strcmp(old ? old->name : "", proposed ? proposed->name : "") == 0;
    bool has_data = data->len == 0 || bytes_equal_constant_time(bytes_of(data->data, data->len), bytes_of(old_data->data, old_data->len));

    return has_name && has_data ? 0 : error_set(err, ERR_INVALID, "only updates to Labels are allowed");
}

static void take_labels(Docker__Swarmkit__V1__Annotations *annotations, const Docker__Swarmkit__V1__Annotations *proposed)
{
    annotations->labels = proposed ? proposed->labels : NULL;
    annotations->n_labels = proposed ? proposed->n_labels : 0;
}

/* SwarmKit names only the object: "secret web already exists". */
static int create_payload(struct call *call, struct store_tx *tx, ProtobufCMessage *message, const char *kind, const char *name,
                          struct error *err)
{
    int failed = call_put_new(call, tx, message, err);

    if (failed == ERR_EXISTS && call->grpc_status == 0)
        return error_set(err, ERR_EXISTS, "%s %s already exists", kind, name);
    return failed;
}

/* --- secrets --- */

static Docker__Swarmkit__V1__Secret *without_data(const Docker__Swarmkit__V1__Secret *secret, struct arena *arena)
{
    if (secret == NULL)
        return NULL;
    Docker__Swarmkit__V1__Secret *shown = message_again(arena, &secret->base);
    if (secret->spec == NULL)
        return shown;
    shown->spec = message_again(arena, &secret->spec->base);
    shown->spec->data = (ProtobufCBinaryData){0};
    return shown;
}

static const ProtobufCMessage *read_get_secret(const struct control *control, const Docker__Swarmkit__V1__GetSecretRequest *request,
                                               struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetSecretResponse *response = message_in(arena, DESCRIPTOR(get_secret_response));

    if (check_payload_id(request->secret_id, "secret", err) < 0)
        return NULL;
    response->secret = without_data(store_secret(control->store, request->secret_id), arena);
    if (response->secret)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "secret %s not found", request->secret_id);
    return NULL;
}

CONTROL_READ(get_secret, GetSecret)

static const ProtobufCMessage *read_list_secrets(const struct control *control, const Docker__Swarmkit__V1__ListSecretsRequest *request,
                                                 struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListSecretsResponse *response = message_in(arena, DESCRIPTOR(list_secrets_response));
    const Docker__Swarmkit__V1__Secret *secret;
    struct filter filter = {0};
    struct store_cursor cursor;

    (void)err;
    FILTER_READ(request->filters, arena, &filter);
    response->secrets = filter_room(control, STORE_SECRET, arena);
    store_find(control->store, STORE_SECRET, STORE_ALL, NULL, &cursor);
    while ((secret = (const void *)store_next(&cursor)) != NULL)
        if (!secret->internal && filter_passes_any(&filter, store_message_name(STORE_SECRET, &secret->base), secret->id,
                                                   store_message_annotations(STORE_SECRET, &secret->base)))
            response->secrets[response->n_secrets++] = without_data(secret, arena);
    return &response->base;
}

CONTROL_READ(list_secrets, ListSecrets)

static int check_create_secret(const struct control *control, const Docker__Swarmkit__V1__CreateSecretRequest *request,
                               struct refusal *refusal)
{
    const Docker__Swarmkit__V1__SecretSpec *spec = request->spec;
    struct error *err = &refusal->err;

    (void)control;
    if (spec == NULL)
        return form_refuse(err);
    int failed = form_check_payload_name(spec->annotations, err);
    if (failed < 0)
        return failed;
    if (spec->driver == NULL)
        return check_size(&spec->data, "secret", CONTROL_SECRET_SIZE_BYTES, err);
    if (spec->driver->name[0] == 0)
        return error_set(err, ERR_INVALID, "secret driver must have a name");
    return error_set(
        err, ERR_UNSUPPORTED,
        "secret driver %s: this cluster has no drivers for secrets; give the secret's data itself, in a file or on standard input",
        spec->driver->name);
}

static int write_create_secret(struct call *call, struct store_tx *tx, struct error *err)
{
    Docker__Swarmkit__V1__SecretSpec *spec = CALL_REQUEST(call, CreateSecret)->spec;
    Docker__Swarmkit__V1__Secret secret = DOCKER__SWARMKIT__V1__SECRET__INIT;

    secret.id = call->id;
    secret.spec = spec;
    return create_payload(call, tx, &secret.base, "secret", spec->annotations->name, err);
}

static const ProtobufCMessage *answer_create_secret(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__CreateSecretResponse *response = message_in(arena, DESCRIPTOR(create_secret_response));

    response->secret = without_data(store_secret(call->control->store, call->id), arena);
    return response->secret ? &response->base : NULL;
}

CONTROL_WRITE(create_secret, CreateSecret, NULL)

static int check_update_secret(const struct control *control, const Docker__Swarmkit__V1__UpdateSecretRequest *request,
                               struct refusal *refusal)
{
    (void)control;
    if (request->secret_id[0] == 0 || request->secret_version == NULL || request->spec == NULL)
        return form_refuse(&refusal->err);
    return form_check_id(request->secret_id, &refusal->err);
}

static int write_update_secret(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__UpdateSecretRequest *request = CALL_REQUEST(call, UpdateSecret);
    const Docker__Swarmkit__V1__Secret *old = store_tx_secret(tx, call->id);
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;

    if (old == NULL || old->spec == NULL)
        return error_set(err, ERR_NOT_FOUND, "secret %s not found", call->id);
    int failed = check_same(old->spec->annotations, request->spec->annotations, &old->spec->data, &request->spec->data, err);
    if (failed < 0)
        return failed;
    Docker__Swarmkit__V1__Secret secret = *old;
    Docker__Swarmkit__V1__SecretSpec spec = *old->spec;
    if (spec.annotations)
        annotations = *spec.annotations;
    take_labels(&annotations, request->spec->annotations);
    meta.version = request->secret_version;
    spec.annotations = &annotations;
    secret.spec = &spec;
    secret.meta = &meta;
    return call_put(call, tx, &secret.base, err);
}

static const ProtobufCMessage *answer_update_secret(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__UpdateSecretResponse *response = message_in(arena, DESCRIPTOR(update_secret_response));

    response->secret = without_data(store_secret(call->control->store, call->id), arena);
    return response->secret ? &response->base : NULL;
}

CONTROL_WRITE(update_secret, UpdateSecret, request->secret_id)

static int check_remove_secret(const struct control *control, const Docker__Swarmkit__V1__RemoveSecretRequest *request,
                               struct refusal *refusal)
{
    (void)control;
    return check_payload_id(request->secret_id, "secret", &refusal->err);
}

static int write_remove_secret(struct call *call, struct store_tx *tx, struct error *err)
{
    return remove_payload(call, tx, STORE_SECRET, STORE_BY_SECRET, err);
}

static const ProtobufCMessage *answer_remove_secret(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_secret_response));
}

CONTROL_WRITE(remove_secret, RemoveSecret, request->secret_id)

/* --- configs --- */

static const ProtobufCMessage *read_get_config(const struct control *control, const Docker__Swarmkit__V1__GetConfigRequest *request,
                                               struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetConfigResponse *response = message_in(arena, DESCRIPTOR(get_config_response));

    if (check_payload_id(request->config_id, "config", err) < 0)
        return NULL;
    response->config = (Docker__Swarmkit__V1__Config *)(uintptr_t)store_config(control->store, request->config_id);
    if (response->config)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "config %s not found", request->config_id);
    return NULL;
}

CONTROL_READ(get_config, GetConfig)

static const ProtobufCMessage *read_list_configs(const struct control *control, const Docker__Swarmkit__V1__ListConfigsRequest *request,
                                                 struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListConfigsResponse *response = message_in(arena, DESCRIPTOR(list_configs_response));
    const Docker__Swarmkit__V1__Config *config;
    struct filter filter = {0};
    struct store_cursor cursor;

    (void)err;
    FILTER_READ(request->filters, arena, &filter);
    response->configs = filter_room(control, STORE_CONFIG, arena);
    store_find(control->store, STORE_CONFIG, STORE_ALL, NULL, &cursor);
    while ((config = (const void *)store_next(&cursor)) != NULL)
        if (filter_passes_any(&filter, store_message_name(STORE_CONFIG, &config->base), config->id,
                              store_message_annotations(STORE_CONFIG, &config->base)))
            response->configs[response->n_configs++] = (Docker__Swarmkit__V1__Config *)(uintptr_t)config;
    return &response->base;
}

CONTROL_READ(list_configs, ListConfigs)

static int check_create_config(const struct control *control, const Docker__Swarmkit__V1__CreateConfigRequest *request,
                               struct refusal *refusal)
{
    (void)control;
    if (request->spec == NULL)
        return form_refuse(&refusal->err);
    int failed = form_check_payload_name(request->spec->annotations, &refusal->err);
    return failed < 0 ? failed : check_size(&request->spec->data, "config", CONTROL_CONFIG_SIZE_BYTES, &refusal->err);
}

static int write_create_config(struct call *call, struct store_tx *tx, struct error *err)
{
    Docker__Swarmkit__V1__ConfigSpec *spec = CALL_REQUEST(call, CreateConfig)->spec;
    Docker__Swarmkit__V1__Config config = DOCKER__SWARMKIT__V1__CONFIG__INIT;

    config.id = call->id;
    config.spec = spec;
    return create_payload(call, tx, &config.base, "config", spec->annotations->name, err);
}

static const ProtobufCMessage *answer_create_config(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__CreateConfigResponse *response = message_in(arena, DESCRIPTOR(create_config_response));

    response->config = (Docker__Swarmkit__V1__Config *)(uintptr_t)store_config(call->control->store, call->id);
    return response->config ? &response->base : NULL;
}

CONTROL_WRITE(create_config, CreateConfig, NULL)

static int check_update_config(const struct control *control, const Docker__Swarmkit__V1__UpdateConfigRequest *request,
                               struct refusal *refusal)
{
    (void)control;
    if (request->config_id[0] == 0 || request->config_version == NULL || request->spec == NULL)
        return form_refuse(&refusal->err);
    return form_check_id(request->config_id, &refusal->err);
}

static int write_update_config(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__UpdateConfigRequest *request = CALL_REQUEST(call, UpdateConfig);
    const Docker__Swarmkit__V1__Config *old = store_tx_config(tx, call->id);
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;

    if (old == NULL || old->spec == NULL)
        return error_set(err, ERR_NOT_FOUND, "config %s not found", call->id);
    int failed = check_same(old->spec->annotations, request->spec->annotations, &old->spec->data, &request->spec->data, err);
    if (failed < 0)
        return failed;
    Docker__Swarmkit__V1__Config config = *old;
    Docker__Swarmkit__V1__ConfigSpec spec = *old->spec;
    if (spec.annotations)
        annotations = *spec.annotations;
    take_labels(&annotations, request->spec->annotations);
    meta.version = request->config_version;
    spec.annotations = &annotations;
    config.spec = &spec;
    config.meta = &meta;
    return call_put(call, tx, &config.base, err);
}

static const ProtobufCMessage *answer_update_config(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__UpdateConfigResponse *response = message_in(arena, DESCRIPTOR(update_config_response));

    response->config = (Docker__Swarmkit__V1__Config *)(uintptr_t)store_config(call->control->store, call->id);
    return response->config ? &response->base : NULL;
}

CONTROL_WRITE(update_config, UpdateConfig, request->config_id)

static int check_remove_config(const struct control *control, const Docker__Swarmkit__V1__RemoveConfigRequest *request,
                               struct refusal *refusal)
{
    (void)control;
    return check_payload_id(request->config_id, "config", &refusal->err);
}

static int write_remove_config(struct call *call, struct store_tx *tx, struct error *err)
{
    return remove_payload(call, tx, STORE_CONFIG, STORE_BY_CONFIG, err);
}

static const ProtobufCMessage *answer_remove_config(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_config_response));
}

CONTROL_WRITE(remove_config, RemoveConfig, request->config_id)
