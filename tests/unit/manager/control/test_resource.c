/* Extensions and the resources of their kinds; cluster volumes, which are only what Docker left. */
#include "tests/unit/manager/control/fixture.h"

static struct asked asked;

static int set_up(void **state)
{
    (void)state;
    begin(&asked);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(&asked);
    return 0;
}

static char extension_id[STORE_KEY_SIZE_BYTES], resource_id[STORE_KEY_SIZE_BYTES];

static void create_both(void)
{
    Docker__Swarmkit__V1__CreateExtensionRequest extension = DOCKER__SWARMKIT__V1__CREATE_EXTENSION_REQUEST__INIT;
    Docker__Swarmkit__V1__CreateResourceRequest resource = DOCKER__SWARMKIT__V1__CREATE_RESOURCE_REQUEST__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    annotations.name = CONSTANT("kind");
    extension.annotations = &annotations;
    extension.description = CONSTANT("of things");
    snprintf(extension_id, sizeof extension_id, "%s", do_call(&asked, CreateExtension, &extension)->extension->id);
    annotations.name = CONSTANT("thing");
    resource.annotations = &annotations;
    resource.kind = CONSTANT("kind");
    snprintf(resource_id, sizeof resource_id, "%s", do_call(&asked, CreateResource, &resource)->resource->id);
}

static void both_are_created_got_and_removed(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetExtensionRequest get_extension = DOCKER__SWARMKIT__V1__GET_EXTENSION_REQUEST__INIT;
    Docker__Swarmkit__V1__GetResourceRequest get_resource = DOCKER__SWARMKIT__V1__GET_RESOURCE_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveExtensionRequest remove_extension = DOCKER__SWARMKIT__V1__REMOVE_EXTENSION_REQUEST__INIT;
    Docker__Swarmkit__V1__RemoveResourceRequest remove_resource = DOCKER__SWARMKIT__V1__REMOVE_RESOURCE_REQUEST__INIT;
    assert_refused(&asked, GetExtension, &get_extension, ERR_INVALID, 3, "extension ID must be provided");
    assert_refused(&asked, GetResource, &get_resource, ERR_INVALID, 3, "resource ID must be present");
    assert_refused(&asked, RemoveExtension, &remove_extension, ERR_INVALID, 3, "extension ID must be provided");
    assert_refused(&asked, RemoveResource, &remove_resource, ERR_INVALID, 3, "resource ID must be present");
    get_extension.extension_id = get_resource.resource_id = remove_extension.extension_id = remove_resource.resource_id = CONSTANT("x");
    assert_refused(&asked, GetExtension, &get_extension, ERR_NOT_FOUND, 5, "extension x not found");
    assert_refused(&asked, GetResource, &get_resource, ERR_NOT_FOUND, 5, "resource x not found");
    assert_refused(&asked, RemoveExtension, &remove_extension, ERR_NOT_FOUND, 5, "could not find extension x");
    assert_refused(&asked, RemoveResource, &remove_resource, ERR_NOT_FOUND, 5, "resource x not found");
    create_both();
    get_extension.extension_id = remove_extension.extension_id = extension_id;
    get_resource.resource_id = remove_resource.resource_id = resource_id;
    assert_string_equal(do_call(&asked, GetExtension, &get_extension)->extension->description, "of things");
    assert_string_equal(do_call(&asked, GetResource, &get_resource)->resource->kind, "kind");
    assert_refused(&asked, RemoveExtension, &remove_extension, ERR_INVALID, 3,
                   "extension 'kind' is in use by the following resource: thing");
    (void)do_call(&asked, RemoveResource, &remove_resource);
    (void)do_call(&asked, RemoveExtension, &remove_extension);
    assert_int_equal(store_count(asked.world.store, STORE_EXTENSION, STORE_ALL, NULL), 0);
}

static void creation_has_rules(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__CreateExtensionRequest extension = DOCKER__SWARMKIT__V1__CREATE_EXTENSION_REQUEST__INIT;
    Docker__Swarmkit__V1__CreateResourceRequest resource = DOCKER__SWARMKIT__V1__CREATE_RESOURCE_REQUEST__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    assert_refused(&asked, CreateExtension, &extension, ERR_INVALID, 3, "extension name must be provided");
    assert_refused(&asked, CreateResource, &resource, ERR_INVALID, 3, "Resource must have a name");
    annotations.name = CONSTANT("thing");
    resource.annotations = &annotations;
    assert_refused(&asked, CreateResource, &resource, ERR_INVALID, 3, "Resource must belong to an Extension");
    resource.kind = CONSTANT("kind");
    assert_refused(&asked, CreateResource, &resource, ERR_INVALID, 3, "Kind kind is not registered");
    create_both();
    assert_refused(&asked, CreateResource, &resource, ERR_EXISTS, 6, "A resource with name thing already exists");
    annotations.name = CONSTANT("kind");
    extension.annotations = &annotations;
    assert_refused(&asked, CreateExtension, &extension, ERR_EXISTS, 6, "extension kind already exists");
}

static void resource_is_updated_under_its_name(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__UpdateResourceRequest request = DOCKER__SWARMKIT__V1__UPDATE_RESOURCE_REQUEST__INIT;
    Docker__Swarmkit__V1__Version version = DOCKER__SWARMKIT__V1__VERSION__INIT;
    Docker__Swarmkit__V1__Annotations annotations = DOCKER__SWARMKIT__V1__ANNOTATIONS__INIT;
    Google__Protobuf__Any payload = GOOGLE__PROTOBUF__ANY__INIT;
    create_both();
    assert_refused(&asked, UpdateResource, &request, ERR_INVALID, 3, "must include ID and version");
    request.resource_version = &version;
    request.resource_id = CONSTANT("x");
    assert_refused(&asked, UpdateResource, &request, ERR_NOT_FOUND, 5, "resource x not found");
    request.resource_id = resource_id;
    request.annotations = &annotations;
    annotations.name = CONSTANT("other");
    assert_refused(&asked, UpdateResource, &request, ERR_INVALID, 3, "cannot change resource name");
    request.annotations = NULL;
    payload.type_url = CONSTANT("a");
    request.payload = &payload;
    assert_refused(&asked, UpdateResource, &request, ERR_PRECONDITION, 3, "update out of sequence");
    version.index = store_resource(asked.world.store, resource_id)->meta->version->index;
    const Docker__Swarmkit__V1__UpdateResourceResponse *response = do_call(&asked, UpdateResource, &request);
    assert_string_equal(response->resource->payload->type_url, "a");
    assert_string_equal(response->resource->annotations->name, "thing");
}

static void resources_are_listed_by_kind(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__ListResourcesRequest request = DOCKER__SWARMKIT__V1__LIST_RESOURCES_REQUEST__INIT;
    Docker__Swarmkit__V1__ListResourcesRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_RESOURCES_REQUEST__FILTERS__INIT;
    create_both();
    assert_int_equal(do_call(&asked, ListResources, &request)->n_resources, 1);
    request.filters = &filters;
    filters.kind = CONSTANT("kind");
    assert_int_equal(do_call(&asked, ListResources, &request)->n_resources, 1);
    filters.kind = CONSTANT("other");
    assert_int_equal(do_call(&asked, ListResources, &request)->n_resources, 0);
    filters.kind = CONSTANT("");
    char *names[] = {CONSTANT("THING"), CONSTANT("x")};
    filters.names = names;
    filters.n_names = 2;
    assert_int_equal(do_call(&asked, ListResources, &request)->n_resources, 1);
    filters.n_names = 0;
    char *prefixes[] = {CONSTANT("x")};
    filters.id_prefixes = prefixes;
    filters.n_id_prefixes = 1;
    prefixes[0] = resource_id;
    assert_int_equal(do_call(&asked, ListResources, &request)->n_resources, 1);
}

static void volumes_are_what_docker_left(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__CreateVolumeRequest create = DOCKER__SWARMKIT__V1__CREATE_VOLUME_REQUEST__INIT;
    Docker__Swarmkit__V1__UpdateVolumeRequest update = DOCKER__SWARMKIT__V1__UPDATE_VOLUME_REQUEST__INIT;
    Docker__Swarmkit__V1__GetVolumeRequest get = DOCKER__SWARMKIT__V1__GET_VOLUME_REQUEST__INIT;
    Docker__Swarmkit__V1__ListVolumesRequest list = DOCKER__SWARMKIT__V1__LIST_VOLUMES_REQUEST__INIT;
    Docker__Swarmkit__V1__ListVolumesRequest__Filters filters = DOCKER__SWARMKIT__V1__LIST_VOLUMES_REQUEST__FILTERS__INIT;
    Docker__Swarmkit__V1__RemoveVolumeRequest removal = DOCKER__SWARMKIT__V1__REMOVE_VOLUME_REQUEST__INIT;
    Docker__Swarmkit__V1__Volume volume = DOCKER__SWARMKIT__V1__VOLUME__INIT;
    Docker__Swarmkit__V1__VolumeSpec spec = DOCKER__SWARMKIT__V1__VOLUME_SPEC__INIT;
    assert_refused(&asked, CreateVolume, &create, ERR_UNSUPPORTED, 12, "this cluster has no cluster volumes (CSI) yet");
    assert_refused(&asked, UpdateVolume, &update, ERR_UNSUPPORTED, 12, "this cluster has no cluster volumes (CSI) yet");
    assert_int_equal(do_call(&asked, ListVolumes, &list)->n_volumes, 0);
    volume.id = CONSTANT("v1");
    volume.spec = &spec;
    spec.group = CONSTANT("g");
    do_create(&asked.world, &volume);
    assert_int_equal(do_call(&asked, ListVolumes, &list)->n_volumes, 1);
    list.filters = &filters;
    char *groups[] = {CONSTANT("h")};
    filters.groups = groups;
    filters.n_groups = 1;
    assert_int_equal(do_call(&asked, ListVolumes, &list)->n_volumes, 0);
    get.volume_id = removal.volume_id = CONSTANT("v1");
    assert_string_equal(do_call(&asked, GetVolume, &get)->volume->spec->group, "g");
    assert_refused(&asked, RemoveVolume, &removal, ERR_UNSUPPORTED, 12, "with --force the cluster forgets it");
    removal.force = true;
    (void)do_call(&asked, RemoveVolume, &removal);
    assert_refused(&asked, GetVolume, &get, ERR_NOT_FOUND, 5, "volume v1 not found");
    assert_refused(&asked, RemoveVolume, &removal, ERR_NOT_FOUND, 5, "volume v1 not found");
}

static void others_methods_are_not_ours(void **state)
{
    (void)state;
    Docker__Swarmkit__V1__GetNodeRequest request = DOCKER__SWARMKIT__V1__GET_NODE_REQUEST__INIT;
    assert_false(control_call(asked.control, METHOD_Dispatcher_Heartbeat, &request.base, on_answer, &asked));
    for (int method = 0; method < METHOD_COUNT; method++) {
        bool is_control = strstr(method_list[method].path, ".Control/") != NULL;
        ProtobufCMessage *empty = mem_alloc(method_list[method].request->sizeof_message);
        method_list[method].request->message_init(empty);
        if (is_control)
            call(&asked, (enum method_id)method, empty); /* is answered */
        else
            assert_false(control_call(asked.control, (enum method_id)method, empty, on_answer, &asked));
        free(empty);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(both_are_created_got_and_removed), test(creation_has_rules),           test(resource_is_updated_under_its_name),
        test(resources_are_listed_by_kind),     test(volumes_are_what_docker_left), test(others_methods_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
