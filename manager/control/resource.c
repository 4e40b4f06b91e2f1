/* manager/control/resource.c – extensions, and the resources of the kinds that they name: objects that a client keeps in the cluster and
 * that mean nothing to it. */
#include <strings.h>

#include "google/protobuf/any.pb-c.h"
#include "manager/control/inside.h"

static const char *name_of(const Docker__Swarmkit__V1__Annotations *annotations)
{
    return annotations ? annotations->name : "";
}

static int check_extension_id(const char *id, struct error *err)
{
    if (id[0] == 0)
        return error_set(err, ERR_INVALID, "extension ID must be provided");
    return form_check_id(id, err);
}

static int check_resource_id(const char *id, struct error *err)
{
    if (id[0] == 0)
        return error_set(err, ERR_INVALID, "resource ID must be present");
    return form_check_id(id, err);
}

/* --- extensions --- */

static const ProtobufCMessage *read_get_extension(const struct control *control, const Docker__Swarmkit__V1__GetExtensionRequest *request,
                                                  struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetExtensionResponse *response = message_in(arena, DESCRIPTOR(get_extension_response));

    if (check_extension_id(request->extension_id, err) < 0)
        return NULL;
    response->extension = (Docker__Swarmkit__V1__Extension *)(uintptr_t)store_extension(control->store, request->extension_id);
    if (response->extension)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "extension %s not found", request->extension_id);
    return NULL;
}

CONTROL_READ(get_extension, GetExtension)

static int check_create_extension(const struct control *control, const Docker__Swarmkit__V1__CreateExtensionRequest *request,
                                  struct refusal *refusal)
{
    (void)control;
    if (name_of(request->annotations)[0] == 0)
        return error_set(&refusal->err, ERR_INVALID, "extension name must be provided");
    return 0;
}

static int write_create_extension(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__CreateExtensionRequest *request = CALL_REQUEST(call, CreateExtension);
    Docker__Swarmkit__V1__Extension extension = DOCKER__SWARMKIT__V1__EXTENSION__INIT;

    extension.id = call->id;
    extension.annotations = request->annotations;
    extension.description = request->description;
    int failed = call_put_new(call, tx, &extension.base, err);
    if (failed == ERR_EXISTS && call->grpc_status == 0)
        return error_set(err, ERR_EXISTS, "extension %s already exists", request->annotations->name);
    return failed;
}

static const ProtobufCMessage *answer_create_extension(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__CreateExtensionResponse *response = message_in(arena, DESCRIPTOR(create_extension_response));

    response->extension = (Docker__Swarmkit__V1__Extension *)(uintptr_t)store_extension(call->control->store, call->id);
    return response->extension ? &response->base : NULL;
}

CONTROL_WRITE(create_extension, CreateExtension, NULL)

static int check_remove_extension(const struct control *control, const Docker__Swarmkit__V1__RemoveExtensionRequest *request,
                                  struct refusal *refusal)
{
    (void)control;
    return check_extension_id(request->extension_id, &refusal->err);
}

/* Resources of its kind stand in the way; a few of them are named. */
static int check_unused(struct store_tx *tx, const char *name, struct error *err)
{
    const Docker__Swarmkit__V1__Resource *resource;
    cleanup_buf struct buf names = {0};
    struct store_cursor cursor;
    size_t count = 0;

    store_tx_find(tx, STORE_RESOURCE, STORE_ALL, NULL, &cursor);
    while (count < 10 && (resource = (const void *)store_next(&cursor)) != NULL)
        if (strcasecmp(resource->kind, name) == 0)
            buf_append_format(&names, "%s%s", count++ ? ", " : "", name_of(resource->annotations));
    if (count == 0)
        return 0;
    return error_set(err, ERR_INVALID, "extension '%s' is in use by the following resource%s: %s", name, count == 1 ? "" : "s",
                     (const char *)names.data);
}

static int write_remove_extension(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__Extension *extension = store_tx_extension(tx, call->id);

    if (extension == NULL)
        return error_set(err, ERR_NOT_FOUND, "could not find extension %s", call->id);
    int failed = check_unused(tx, name_of(extension->annotations), err);
    return failed < 0 ? failed : store_tx_remove(tx, STORE_EXTENSION, call->id, err);
}

static const ProtobufCMessage *answer_remove_extension(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_extension_response));
}

CONTROL_WRITE(remove_extension, RemoveExtension, request->extension_id)

/* --- resources --- */

static const ProtobufCMessage *read_get_resource(const struct control *control, const Docker__Swarmkit__V1__GetResourceRequest *request,
                                                 struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetResourceResponse *response = message_in(arena, DESCRIPTOR(get_resource_response));

    if (check_resource_id(request->resource_id, err) < 0)
        return NULL;
    response->resource = (Docker__Swarmkit__V1__Resource *)(uintptr_t)store_resource(control->store, request->resource_id);
    if (response->resource)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "resource %s not found", request->resource_id);
    return NULL;
}

CONTROL_READ(get_resource, GetResource)

static const ProtobufCMessage *read_list_resources(const struct control *control, const Docker__Swarmkit__V1__ListResourcesRequest *request,
                                                   struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListResourcesResponse *response = message_in(arena, DESCRIPTOR(list_resources_response));
    const char *kind = request->filters ? request->filters->kind : "";
    const Docker__Swarmkit__V1__Resource *resource;
    struct filter filter = {0};
    struct store_cursor cursor;

    (void)err;
    FILTER_READ(request->filters, arena, &filter);
    response->resources = filter_room(control, STORE_RESOURCE, arena);
    store_find(control->store, STORE_RESOURCE, STORE_ALL, NULL, &cursor);
    while ((resource = (const void *)store_next(&cursor)) != NULL)
        if ((kind[0] == 0 || strcmp(resource->kind, kind) == 0) &&
            filter_passes_any(&filter, name_of(resource->annotations), resource->id, resource->annotations))
            response->resources[response->n_resources++] = (Docker__Swarmkit__V1__Resource *)(uintptr_t)resource;
    return &response->base;
}

CONTROL_READ(list_resources, ListResources)

static int check_create_resource(const struct control *control, const Docker__Swarmkit__V1__CreateResourceRequest *request,
                                 struct refusal *refusal)
{
    (void)control;
    if (name_of(request->annotations)[0] == 0)
        return error_set(&refusal->err, ERR_INVALID, "Resource must have a name");
    if (request->kind[0] == 0)
        return error_set(&refusal->err, ERR_INVALID, "Resource must belong to an Extension");
    return 0;
}

static int write_create_resource(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__CreateResourceRequest *request = CALL_REQUEST(call, CreateResource);
    Docker__Swarmkit__V1__Resource resource = DOCKER__SWARMKIT__V1__RESOURCE__INIT;
    struct store_cursor cursor;

    store_tx_find(tx, STORE_EXTENSION, STORE_BY_NAME, request->kind, &cursor);
    if (store_next(&cursor) == NULL)
        return error_set(err, ERR_INVALID, "Kind %s is not registered", request->kind);
    resource.id = call->id;
    resource.annotations = request->annotations;
    resource.kind = request->kind;
    resource.payload = request->payload;
    int failed = call_put_new(call, tx, &resource.base, err);
    if (failed == ERR_EXISTS && call->grpc_status == 0)
        return error_set(err, ERR_EXISTS, "A resource with name %s already exists", request->annotations->name);
    return failed;
}

static const ProtobufCMessage *answer_create_resource(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__CreateResourceResponse *response = message_in(arena, DESCRIPTOR(create_resource_response));

    response->resource = (Docker__Swarmkit__V1__Resource *)(uintptr_t)store_resource(call->control->store, call->id);
    return response->resource ? &response->base : NULL;
}

CONTROL_WRITE(create_resource, CreateResource, NULL)

static int check_update_resource(const struct control *control, const Docker__Swarmkit__V1__UpdateResourceRequest *request,
                                 struct refusal *refusal)
{
    (void)control;
    if (request->resource_id[0] == 0 || request->resource_version == NULL)
        return error_set(&refusal->err, ERR_INVALID, "must include ID and version");
    return form_check_id(request->resource_id, &refusal->err);
}

static int write_update_resource(struct call *call, struct store_tx *tx, struct error *err)
{
    const Docker__Swarmkit__V1__UpdateResourceRequest *request = CALL_REQUEST(call, UpdateResource);
    const Docker__Swarmkit__V1__Resource *old = store_tx_resource(tx, call->id);
    Docker__Swarmkit__V1__Meta meta = DOCKER__SWARMKIT__V1__META__INIT;

    if (old == NULL)
        return error_set(err, ERR_NOT_FOUND, "resource %s not found", call->id);
    if (request->annotations && strcmp(request->annotations->name, name_of(old->annotations)) != 0)
        return error_set(err, ERR_INVALID, "cannot change resource name");
    Docker__Swarmkit__V1__Resource resource = *old;
    if (request->annotations)
        resource.annotations = request->annotations;
    if (request->payload)
        resource.payload = request->payload;
    meta.version = request->resource_version;
    resource.meta = &meta;
    int failed = store_tx_update(tx, &resource.base, err);
    if (failed == ERR_PRECONDITION) { /* here SwarmKit has a code for it */
        call->grpc_status = error_grpc_status(ERR_INVALID);
        return error_set(err, ERR_PRECONDITION, "update out of sequence");
    }
    return failed;
}

static const ProtobufCMessage *answer_update_resource(struct call *call, struct arena *arena)
{
    Docker__Swarmkit__V1__UpdateResourceResponse *response = message_in(arena, DESCRIPTOR(update_resource_response));

    response->resource = (Docker__Swarmkit__V1__Resource *)(uintptr_t)store_resource(call->control->store, call->id);
    return response->resource ? &response->base : NULL;
}

CONTROL_WRITE(update_resource, UpdateResource, request->resource_id)

static int check_remove_resource(const struct control *control, const Docker__Swarmkit__V1__RemoveResourceRequest *request,
                                 struct refusal *refusal)
{
    (void)control;
    return check_resource_id(request->resource_id, &refusal->err);
}

static int write_remove_resource(struct call *call, struct store_tx *tx, struct error *err)
{
    if (store_tx_resource(tx, call->id) == NULL)
        return error_set(err, ERR_NOT_FOUND, "resource %s not found", call->id);
    return store_tx_remove(tx, STORE_RESOURCE, call->id, err);
}

static const ProtobufCMessage *answer_remove_resource(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_resource_response));
}

CONTROL_WRITE(remove_resource, RemoveResource, request->resource_id)
