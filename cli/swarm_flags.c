/* cli/swarm_flags.c – see swarm_flags.h. */
#include "cli/swarm_flags.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/json_edit.h"

enum { CA_CERT_SIZE_BYTES = 64 * KIB };

static int read_certificate(const char *path, cJSON *ca, struct error *err)
{
    cleanup_buf struct buf pem = {0};
    int code = file_read(path, CA_CERT_SIZE_BYTES, &pem, err);
    if (code < 0)
        return error_wrap(err, "--external-ca, cacert");
    edit_set_string(ca, "CACert", pem.size > 0 ? (const char *)pem.data : "");
    return 0;
}

/* "protocol=cfssl,url=https://…,cacert=FILE,option=value" */
static int add_external_ca(cJSON *list, const char *given, struct error *err)
{
    cleanup_free char *text = mem_string(given);
    char *rest = text;
    struct field field;
    cJSON *ca = cJSON_CreateObject();
    cJSON_AddItemToArray(list, ca);
    while (edit_next_field(&rest, &field)) {
        if (!field.has_value)
            return error_set(err, ERR_INVALID, "--external-ca %s: \"%s\" is no KEY=VALUE", given, field.key);
        if (strcmp(field.key, "protocol") == 0)
            edit_set_string(ca, "Protocol", field.value);
        else if (strcmp(field.key, "url") == 0)
            edit_set_string(ca, "URL", field.value);
        else if (strcmp(field.key, "cacert") != 0)
            edit_set_string(edit_object(ca, "Options"), field.key, field.value);
        else if (read_certificate(field.value, ca, err) < 0)
            return err->code;
    }
    if (text_empty(json_string(ca, "Protocol", "")) || text_empty(json_string(ca, "URL", "")))
        return error_set(err, ERR_INVALID, "--external-ca %s: protocol=cfssl and url=URL are needed", given);
    return 0;
}

static int apply_ca(const struct options *options, cJSON *config, struct error *err)
{
    const struct option_values *external = option_list(options, "external-ca");
    if (external->count > 0)
        edit_set(config, "ExternalCAs", cJSON_CreateArray());
    for (size_t i = 0; i < external->count; i++)
        if (add_external_ca(edit_list(config, "ExternalCAs"), external->items[i], err) < 0)
            return err->code;
    return edit_set_duration_of(config, "NodeCertExpiry", options, "cert-expiry", err);
}

int swarm_flags_apply(const struct options *options, cJSON *spec, struct error *err)
{
    cJSON *orchestration = edit_object(spec, "Orchestration"), *raft = edit_object(spec, "Raft");
    int code = edit_set_int_of(orchestration, "TaskHistoryRetentionLimit", options, "task-history-limit", INT64_MIN, err);
    if (code < 0 ||
        (code = edit_set_duration_of(edit_object(spec, "Dispatcher"), "HeartbeatPeriod", options, "dispatcher-heartbeat", err)) < 0 ||
        (code = edit_set_int_of(raft, "KeepOldSnapshots", options, "max-snapshots", 0, err)) < 0 ||
        (code = edit_set_int_of(raft, "SnapshotInterval", options, "snapshot-interval", 0, err)) < 0)
        return code;
    if (option_given(options, "autolock"))
        edit_set_bool(edit_object(spec, "EncryptionConfig"), "AutoLockManagers", option_switch(options, "autolock"));
    return apply_ca(options, edit_object(spec, "CAConfig"), err);
}
