/* manager/control/volume.c – cluster volumes (CSI): none is made here yet. Those of a cluster that was Docker's before are shown, and their
 * records can be taken away. */
#include "manager/control/inside.h"

static int refuse(struct error *err)
{
    return error_set(err, ERR_UNSUPPORTED,
                     "this cluster has no cluster volumes (CSI) yet; let services mount volumes of the nodes' instead, with type=volume or "
                     "type=bind");
}

static const ProtobufCMessage *read_create_volume(const struct control *control, const Docker__Swarmkit__V1__CreateVolumeRequest *request,
                                                  struct arena *arena, struct error *err)
{
    (void)control;
    (void)request;
    (void)arena;
    refuse(err);
    return NULL;
}

CONTROL_READ(create_volume, CreateVolume)

static const ProtobufCMessage *read_update_volume(const struct control *control, const Docker__Swarmkit__V1__UpdateVolumeRequest *request,
                                                  struct arena *arena, struct error *err)
{
    (void)control;
    (void)request;
    (void)arena;
    refuse(err);
    return NULL;
}

CONTROL_READ(update_volume, UpdateVolume)

static const ProtobufCMessage *read_get_volume(const struct control *control, const Docker__Swarmkit__V1__GetVolumeRequest *request,
                                               struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__GetVolumeResponse *response = message_in(arena, DESCRIPTOR(get_volume_response));

    response->volume = (Docker__Swarmkit__V1__Volume *)(uintptr_t)store_volume(control->store, request->volume_id);
    if (response->volume)
        return &response->base;
    error_set(err, ERR_NOT_FOUND, "volume %s not found", request->volume_id);
    return NULL;
}

CONTROL_READ(get_volume, GetVolume)

static const ProtobufCMessage *read_list_volumes(const struct control *control, const Docker__Swarmkit__V1__ListVolumesRequest *request,
                                                 struct arena *arena, struct error *err)
{
    Docker__Swarmkit__V1__ListVolumesResponse *response = message_in(arena, DESCRIPTOR(list_volumes_response));
    const Docker__Swarmkit__V1__ListVolumesRequest__Filters *filters = request->filters;
    const Docker__Swarmkit__V1__Volume *volume;
    struct filter_list groups = {0}, drivers = {0};
    struct filter filter = {0};
    struct store_cursor cursor;

    (void)err;
    FILTER_READ(filters, arena, &filter);
    if (filters) {
        groups = (struct filter_list){filters->groups, filters->n_groups};
        drivers = (struct filter_list){filters->drivers, filters->n_drivers};
    }
    response->volumes = filter_room(control, STORE_VOLUME, arena);
    store_find(control->store, STORE_VOLUME, STORE_ALL, NULL, &cursor);
    while ((volume = (const void *)store_next(&cursor)) != NULL) {
        const Docker__Swarmkit__V1__VolumeSpec *spec = volume->spec;
        if (filter_passes(&filter, store_message_name(STORE_VOLUME, &volume->base), volume->id,
                          store_message_annotations(STORE_VOLUME, &volume->base)) &&
            filter_has(groups, spec ? spec->group : "") && filter_has(drivers, spec && spec->driver ? spec->driver->name : ""))
            response->volumes[response->n_volumes++] = (Docker__Swarmkit__V1__Volume *)(uintptr_t)volume;
    }
    return &response->base;
}

CONTROL_READ(list_volumes, ListVolumes)

static int check_remove_volume(const struct control *control, const Docker__Swarmkit__V1__RemoveVolumeRequest *request,
                               struct refusal *refusal)
{
    (void)control;
    return form_check_id(request->volume_id, &refusal->err);
}

/* Nobody here could tell the storage behind it to take its space back. */
static int write_remove_volume(struct call *call, struct store_tx *tx, struct error *err)
{
    if (store_tx_volume(tx, call->id) == NULL)
        return error_set(err, ERR_NOT_FOUND, "volume %s not found", call->id);
    if (!CALL_REQUEST(call, RemoveVolume)->force)
        return error_set(
            err, ERR_UNSUPPORTED,
            "volume %s: this cluster has no CSI drivers yet that could delete it; with --force the cluster forgets it, and the "
            "storage behind it stays as it is",
            call->id);
    return store_tx_remove(tx, STORE_VOLUME, call->id, err);
}

static const ProtobufCMessage *answer_remove_volume(struct call *call, struct arena *arena)
{
    (void)call;
    return message_in(arena, DESCRIPTOR(remove_volume_response));
}

CONTROL_WRITE(remove_volume, RemoveVolume, request->volume_id)
