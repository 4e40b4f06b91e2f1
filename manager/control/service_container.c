/* manager/control/service_container.c – the container of a service's tasks: its image, mounts, health check, and what secrets and configs
 * it refers to. */
#include "base/text.h"
#include "manager/control/inside.h"

static int check_image(const struct control *control, const char *image, struct error *err)
{
    if (text_empty(image))
        return error_set(err, ERR_INVALID, "ContainerSpec: image reference must be provided");
    if (control->rules.check_image(control->rules.self, image, NULL) < 0)
        return error_set(err, ERR_INVALID, "ContainerSpec: \"%.512s\" is not a valid repository/tag", image);
    return 0;
}

static int check_mounts(Docker__Swarmkit__V1__Mount *const *mounts, size_t count, struct error *err)
{
    if (count > CONTAINER_MOUNTS_COUNT)
        return error_set(err, ERR_INVALID, "ContainerSpec: %zu mounts: more than %d", count, CONTAINER_MOUNTS_COUNT);
    for (size_t i = 0; i < count; i++)
        for (size_t before = 0; before < i; before++)
            if (strcmp(mounts[i]->target, mounts[before]->target) == 0)
                return error_set(err, ERR_INVALID, "ContainerSpec: duplicate mount point: %.512s", mounts[i]->target);
    for (size_t i = 0; i < count; i++)
        if (mounts[i]->type == DOCKER__SWARMKIT__V1__MOUNT__TYPE__CLUSTER)
            return error_set(err, ERR_UNSUPPORTED,
                             "mount %.256s: this cluster has no cluster volumes (CSI) yet; mount a volume of the node's instead, with "
                             "type=volume or type=bind",
                             mounts[i]->target);
    return 0;
}

/* --- health checks --- */

static int check_pause(const struct Google__Protobuf__Duration *duration, const char *name, struct error *err)
{
    int64_t ns;
    int failed = form_read_duration(duration, name, &ns, err);

    if (failed < 0)
        return error_wrap(err, "ContainerSpec: HealthConfig");
    if (ns != 0 && ns < (int64_t)(HEALTH_DURATION_MIN_MS * NS_PER_MS))
        return error_set(err, ERR_INVALID, "ContainerSpec: %s in HealthConfig cannot be less than 1ms", name);
    return 0;
}

static int check_health(const Docker__Swarmkit__V1__HealthConfig *health, struct error *err)
{
    if (health == NULL)
        return 0;
    int failed = check_pause(health->interval, "Interval", err);
    if (failed == 0)
        failed = check_pause(health->timeout, "Timeout", err);
    if (failed == 0)
        failed = check_pause(health->start_period, "StartPeriod", err);
    if (failed == 0)
        failed = check_pause(health->start_interval, "StartInterval", err);
    if (failed == 0 && health->retries < 0)
        failed = error_set(err, ERR_INVALID, "ContainerSpec: Retries in HealthConfig cannot be negative");
    return failed;
}

int service_check_container(const struct control *control, const Docker__Swarmkit__V1__TaskSpec *task, struct error *err)
{
    const Docker__Swarmkit__V1__ContainerSpec *container = task->container;
    int failed = 0;

    if (control->rules.check_container)
        failed = control->rules.check_container(control->rules.self, task, err);
    if (failed == 0)
        failed = check_image(control, container->image, err);
    if (failed == 0)
        failed = check_mounts(container->mounts, container->n_mounts, err);
    return failed < 0 ? failed : check_health(container->healthcheck, err);
}

/* --- secrets and configs --- */

/* A reference, whichever it is. @file: the name that it gets in the container; NULL: it is no file. */
struct reference {
    const char *kind, *id, *name, *file;
    bool has_target;
};

static int check_reference(const struct reference *reference, struct error *err)
{
    if (text_empty(reference->id) || text_empty(reference->name))
        return error_set(err, ERR_INVALID, "malformed %s reference", reference->kind);
    if (!reference->has_target)
        return error_set(err, ERR_INVALID, "malformed %s reference, no target provided", reference->kind);
    if (reference->file && reference->file[0] == 0)
        return error_set(err, ERR_INVALID, "malformed file %s reference, invalid target file name provided", reference->kind);
    return 0;
}

static int check_all(const struct reference *references, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct reference *one = &references[i];
        int failed = check_reference(one, err);
        if (failed < 0)
            return failed;
        for (size_t before = 0; before < i; before++)
            if (one->file && references[before].file && strcmp(one->file, references[before].file) == 0)
                return error_set(err, ERR_INVALID, "%s references '%s' and '%s' have a conflicting target: '%.256s'", one->kind,
                                 references[before].name, one->name, one->file);
    }
    return 0;
}

static struct reference of_secret(const Docker__Swarmkit__V1__SecretReference *secret)
{
    bool is_file = secret->target_case == DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
    return (struct reference){.kind = "secret",
                              .id = secret->secret_id,
                              .name = secret->secret_name,
                              .file = is_file ? secret->file->name : NULL,
                              .has_target = is_file};
}

static struct reference of_config(const Docker__Swarmkit__V1__ConfigReference *config)
{
    bool is_file = config->target_case == DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_FILE;
    return (struct reference){.kind = "config",
                              .id = config->config_id,
                              .name = config->config_name,
                              .file = is_file ? config->file->name : NULL,
                              .has_target = config->target_case != DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET__NOT_SET};
}

/* A config that is a Windows credential spec has to be referred to as one for the runtime, so that the node is given it. */
static int check_credential_spec(const Docker__Swarmkit__V1__ContainerSpec *container, struct error *err)
{
    const Docker__Swarmkit__V1__Privileges *privileges = container->privileges;
    const Docker__Swarmkit__V1__Privileges__CredentialSpec *spec = privileges ? privileges->credential_spec : NULL;

    if (spec == NULL || spec->source_case != DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE_CONFIG || spec->config[0] == 0)
        return 0;
    for (size_t i = 0; i < container->n_configs; i++)
        if (container->configs[i]->target_case == DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET_RUNTIME &&
            strcmp(container->configs[i]->config_id, spec->config) == 0)
            return 0;
    return error_set(err, ERR_INVALID,
                     "CredentialSpec references config '%.256s', but that config isn't in config references with RuntimeTarget",
                     spec->config);
}

int service_check_references(const Docker__Swarmkit__V1__ContainerSpec *container, struct error *err)
{
    struct reference list[CONTAINER_FILES_COUNT];

    if (container->n_secrets > CONTAINER_FILES_COUNT || container->n_configs > CONTAINER_FILES_COUNT - container->n_secrets)
        return error_set(err, ERR_INVALID, "ContainerSpec: %zu secrets and %zu configs: more than %d", container->n_secrets,
                         container->n_configs, CONTAINER_FILES_COUNT);
    for (size_t i = 0; i < container->n_secrets; i++)
        list[i] = of_secret(container->secrets[i]);
    int failed = check_all(list, container->n_secrets, err);
    if (failed < 0)
        return failed;
    for (size_t i = 0; i < container->n_configs; i++)
        list[i] = of_config(container->configs[i]);
    failed = check_all(list, container->n_configs, err);
    return failed < 0 ? failed : check_credential_spec(container, err);
}
