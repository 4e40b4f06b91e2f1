/* api/swarm/json_container_spec.c – how a service's containers are to be made, as Docker's JSON: see json_common.h. */
#include "api/swarm/json_common.h"
#include "proto/swarmkit/specs.pb-c.h"

/* --- privileges --- */

static int check_credential_spec(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    if (((Docker__Swarmkit__V1__Privileges__CredentialSpec *)message)->source_case !=
        DOCKER__SWARMKIT__V1__PRIVILEGES__CREDENTIAL_SPEC__SOURCE__NOT_SET)
        return 0;
    return shape_refuse(source, NULL, err, ERR_INVALID, "one of Config, File and Registry is needed");
}

static const struct shape_member credential_spec[] = {
    {.json = "Config", .field = "config", .flags = SHAPE_ALWAYS, .since = 40},
    {.json = "File", .field = "file", .flags = SHAPE_ALWAYS},
    {.json = "Registry", .field = "registry", .flags = SHAPE_ALWAYS},
    {.read = check_credential_spec},
    {0},
};

static const struct shape_member selinux_context[] = {
    {.json = "Disable", .field = "disable", .flags = SHAPE_ALWAYS}, {.json = "User", .field = "user", .flags = SHAPE_ALWAYS},
    {.json = "Role", .field = "role", .flags = SHAPE_ALWAYS},       {.json = "Type", .field = "type", .flags = SHAPE_ALWAYS},
    {.json = "Level", .field = "level", .flags = SHAPE_ALWAYS},     {0},
};

static const struct shape_name seccomp_modes[] = {
    {"default", DOCKER__SWARMKIT__V1__PRIVILEGES__SECCOMP_OPTS__SECCOMP_MODE__DEFAULT},
    {"unconfined", DOCKER__SWARMKIT__V1__PRIVILEGES__SECCOMP_OPTS__SECCOMP_MODE__UNCONFINED},
    {"custom", DOCKER__SWARMKIT__V1__PRIVILEGES__SECCOMP_OPTS__SECCOMP_MODE__CUSTOM},
    {0},
};

static const struct shape_member seccomp[] = {
    {.json = "Mode", .field = "mode", .names = seccomp_modes},
    {.json = "Profile", .field = "profile"},
    {0},
};

static const struct shape_name apparmor_modes[] = {
    {"default", DOCKER__SWARMKIT__V1__PRIVILEGES__APP_ARMOR_OPTS__APP_ARMOR_MODE__DEFAULT},
    {"disabled", DOCKER__SWARMKIT__V1__PRIVILEGES__APP_ARMOR_OPTS__APP_ARMOR_MODE__DISABLED},
    {0},
};

static const struct shape_member apparmor[] = {{.json = "Mode", .field = "mode", .names = apparmor_modes}, {0}};

static const struct shape_member privileges[] = {
    {.json = "CredentialSpec", .field = "credential_spec", .flags = SHAPE_NULL, .shape = credential_spec},
    {.json = "SELinuxContext", .field = "selinux_context", .flags = SHAPE_NULL, .shape = selinux_context},
    {.json = "Seccomp", .field = "seccomp", .since = 44, .shape = seccomp},
    {.json = "AppArmor", .field = "apparmor", .since = 44, .shape = apparmor},
    {.json = "NoNewPrivileges", .field = "no_new_privileges", .flags = SHAPE_ALWAYS, .since = 44},
    {0},
};

/* --- references to secrets and configs --- */

static const struct shape_member file_target[] = {
    {.json = "Name", .field = "name", .flags = SHAPE_ALWAYS},
    {.json = "UID", .field = "uid", .flags = SHAPE_ALWAYS},
    {.json = "GID", .field = "gid", .flags = SHAPE_ALWAYS},
    {.json = "Mode", .field = "mode", .flags = SHAPE_ALWAYS},
    {0},
};

static const struct shape_member secret_reference[] = {
    {.json = "File", .field = "file", .flags = SHAPE_NULL, .shape = file_target},
    {.json = "SecretID", .field = "secret_id", .flags = SHAPE_ALWAYS},
    {.json = "SecretName", .field = "secret_name", .flags = SHAPE_ALWAYS},
    {0},
};

static int check_config_reference(const struct shape_source *source, ProtobufCMessage *message, struct error *err)
{
    if (((Docker__Swarmkit__V1__ConfigReference *)message)->target_case != DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET__NOT_SET)
        return 0;
    return shape_refuse(source, NULL, err, ERR_INVALID, "one of File and Runtime is needed");
}

static const struct shape_member config_reference[] = {
    {.json = "File", .field = "file", .shape = file_target},
    {.json = "Runtime", .field = "runtime", .since = 40, .shape = swarm_nothing},
    {.json = "ConfigID", .field = "config_id", .flags = SHAPE_ALWAYS},
    {.json = "ConfigName", .field = "config_name", .flags = SHAPE_ALWAYS},
    {.read = check_config_reference},
    {0},
};

/* Docker's clients follow a secret's File without a look. */
static bool secret_has_file(const ProtobufCMessage *message)
{
    return ((const Docker__Swarmkit__V1__SecretReference *)message)->target_case == DOCKER__SWARMKIT__V1__SECRET_REFERENCE__TARGET_FILE;
}

static bool config_has_target(const ProtobufCMessage *message)
{
    return ((const Docker__Swarmkit__V1__ConfigReference *)message)->target_case != DOCKER__SWARMKIT__V1__CONFIG_REFERENCE__TARGET__NOT_SET;
}

/* --- the rest --- */

/* The start interval is younger than the others: where it is zero it is absent, so that a client that does not know it changes nothing. */
static const struct shape_member healthcheck[] = {
    {.json = "Test", .field = "test"},
    {.json = "Interval", .field = "interval", .flags = SHAPE_OMIT_ZERO | SHAPE_MADE},
    {.json = "Timeout", .field = "timeout", .flags = SHAPE_OMIT_ZERO | SHAPE_MADE},
    {.json = "StartPeriod", .field = "start_period", .flags = SHAPE_OMIT_ZERO | SHAPE_MADE},
    {.json = "StartInterval", .field = "start_interval", .flags = SHAPE_OMIT_ZERO, .since = 44},
    {.json = "Retries", .field = "retries"},
    {0},
};

static const struct shape_member dns_config[] = {
    {.json = "Nameservers", .field = "nameservers"},
    {.json = "Search", .field = "search"},
    {.json = "Options", .field = "options"},
    {0},
};

static const struct shape_member ulimit[] = {
    {.json = "Name", .field = "name", .flags = SHAPE_ALWAYS},
    {.json = "Hard", .field = "hard", .flags = SHAPE_ALWAYS},
    {.json = "Soft", .field = "soft", .flags = SHAPE_ALWAYS},
    {0},
};

static const struct shape_name isolations[] = {
    {"default", DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_DEFAULT},
    {"process", DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_PROCESS},
    {"hyperv", DOCKER__SWARMKIT__V1__CONTAINER_SPEC__ISOLATION__ISOLATION_HYPERV},
    {0},
};

/* Without pull_options, which come by the X-Registry-Auth header and are never shown, and pidsLimit, which Docker has among the limits. */
const struct shape_member swarm_container_spec[] = {
    {.json = "Image", .field = "image"},
    {.json = "Labels", .field = "labels"},
    {.json = "Command", .field = "command"},
    {.json = "Args", .field = "args"},
    {.json = "Hostname", .field = "hostname"},
    {.json = "Env", .field = "env"},
    {.json = "Dir", .field = "dir"},
    {.json = "User", .field = "user"},
    {.json = "Groups", .field = "groups"},
    {.json = "Privileges", .field = "privileges", .shape = privileges},
    {.json = "Init", .field = "init"},
    {.json = "StopSignal", .field = "stop_signal"},
    {.json = "TTY", .field = "tty"},
    {.json = "OpenStdin", .field = "open_stdin"},
    {.json = "ReadOnly", .field = "read_only"},
    {.json = "Mounts", .field = "mounts", .shape = swarm_mount},
    {.json = "StopGracePeriod", .field = "stop_grace_period"},
    {.json = "Healthcheck", .field = "healthcheck", .shape = healthcheck},
    {.json = "Hosts", .field = "hosts"},
    {.json = "DNSConfig", .field = "dns_config", .shape = dns_config},
    {.json = "Secrets", .field = "secrets", .shape = secret_reference, .wanted = secret_has_file},
    {.json = "Configs", .field = "configs", .shape = config_reference, .wanted = config_has_target},
    {.json = "Isolation", .field = "isolation", .names = isolations},
    {.json = "Sysctls", .field = "sysctls", .since = 40},
    {.json = "CapabilityAdd", .field = "capability_add", .since = 41},
    {.json = "CapabilityDrop", .field = "capability_drop", .since = 41},
    {.json = "Ulimits", .field = "ulimits", .since = 41, .shape = ulimit},
    {.json = "OomScoreAdj", .field = "oom_score_adj", .since = 46},
    {0},
};
