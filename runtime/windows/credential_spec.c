/* runtime/windows/credential_spec.c – see credential_spec.h. */
#include "runtime/windows/credential_spec.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/limits.h"

/* Neither absolute, nor of another drive or stream, nor upwards; Windows takes dots and spaces at a part's end away, so that ".. " would
 * be, too. */
static bool stays_below(const char *name)
{
    if (strcspn(name, "\\/") == 0 || strchr(name, ':'))
        return false;
    for (const char *part = name; *part;) {
        size_t length = strcspn(part, "\\/");
        if (length > 0 && (part[length - 1] == '.' || part[length - 1] == ' '))
            return false;
        part += length + (part[length] != '\0');
    }
    return true;
}

int windows_credential_spec_parse(const char *text, enum windows_credential_source *source, const char **rest, struct error *err)
{
    static const char *const schemes[] = {"raw://", "file://", "registry://"};

    *source = WINDOWS_CREDENTIAL_RAW;
    *rest = text;
    if (text[0] == '{')
        return 0;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], length) != 0)
            continue;
        *source = (enum windows_credential_source)i;
        *rest = text + length;
        if (*source == WINDOWS_CREDENTIAL_FILE && !stays_below(*rest))
            return error_set(err, ERR_INVALID,
                             "invalid credential spec: %.256s: the path must be below CredentialSpecs in the state directory, and relative",
                             text);
        if (*source == WINDOWS_CREDENTIAL_REGISTRY && (*rest)[0] == '\0')
            return error_set(err, ERR_INVALID, "invalid credential spec: %s names no value", text);
        return 0;
    }
    return error_set(err, ERR_INVALID, "invalid credential spec: it begins with neither file://, registry:// nor config://");
}

int windows_credential_spec_check(const char *spec, const char *where, struct error *err)
{
    cleanup_json cJSON *json = NULL;
    struct error why = {0};

    if (strlen(spec) > CREDENTIAL_SPEC_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "invalid credential spec: %.256s: larger than %u bytes", where, CREDENTIAL_SPEC_SIZE_BYTES);
    if (json_parse(bytes_of_string(spec), CREDENTIAL_SPEC_SIZE_BYTES, &json, &why) < 0)
        return error_set(err, ERR_INVALID, "invalid credential spec: %.256s: not JSON: %s", where, why.message);
    if (!cJSON_IsObject(json) || !json_object(json, "DomainJoinConfig"))
        return error_set(err, ERR_INVALID,
                         "invalid credential spec: %.256s: no JSON object with a DomainJoinConfig; make one with New-CredentialSpec",
                         where);
    return 0;
}
