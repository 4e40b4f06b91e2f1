/* cli/service_parts.c – see service_parts.h. */
#include "cli/service_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/json_edit.h"

static int refuse(struct error *err, const char *what, const char *text, const char *why)
{
    return error_set(err, ERR_INVALID, "%s %s: %s", what, text, why);
}

/* --- ports --- */

static int read_port(const char *text, int64_t *port, struct error *err)
{
    return text_parse_i64(text, 1, 65535, port, err);
}

/* "8080:80/tcp" */
static int short_port(const char *given, cJSON *port, struct error *err)
{
    cleanup_free char *text = mem_string(given);
    char *slash = strchr(text, '/'), *colon = strchr(text, ':');
    int64_t target, published = 0;
    if (slash)
        *slash++ = '\0';
    if (colon)
        *colon++ = '\0';
    if (slash && strcmp(slash, "tcp") != 0 && strcmp(slash, "udp") != 0 && strcmp(slash, "sctp") != 0)
        return refuse(err, "port", given, "the protocol is none of tcp, udp, sctp");
    if (read_port(colon ? colon : text, &target, NULL) < 0 || (colon && read_port(text, &published, NULL) < 0))
        return refuse(err, "port", given, "write [PUBLISHED:]TARGET[/PROTOCOL], or published=…,target=…");
    edit_set_string(port, "Protocol", slash ? slash : "tcp");
    edit_set_int(port, "TargetPort", target);
    if (published)
        edit_set_int(port, "PublishedPort", published);
    edit_set_string(port, "PublishMode", "ingress");
    return 0;
}

static int long_port_field(const struct field *field, const char *given, cJSON *port, struct error *err)
{
    int64_t number;
    if (strcmp(field->key, "protocol") == 0) {
        edit_set_string(port, "Protocol", field->value);
    } else if (strcmp(field->key, "mode") == 0) {
        if (strcmp(field->value, "host") != 0 && strcmp(field->value, "ingress") != 0)
            return refuse(err, "port", given, "mode is host or ingress");
        edit_set_string(port, "PublishMode", field->value);
    } else if (strcmp(field->key, "target") == 0 || strcmp(field->key, "published") == 0) {
        if (read_port(field->value, &number, err) < 0)
            return error_wrap(err, "port %s", given);
        edit_set_int(port, *field->key == 't' ? "TargetPort" : "PublishedPort", number);
    } else {
        return refuse(err, "port", given, "its fields are target, published, protocol and mode");
    }
    return 0;
}

static int long_port(const char *given, cJSON *port, struct error *err)
{
    cleanup_free char *text = mem_string(given);
    char *rest = text;
    struct field field;
    edit_set_string(port, "Protocol", "tcp");
    edit_set_string(port, "PublishMode", "ingress");
    while (edit_next_field(&rest, &field))
        if (long_port_field(&field, given, port, err) < 0)
            return err->code;
    return cJSON_HasObjectItem(port, "TargetPort") ? 0 : refuse(err, "port", given, "target=PORT is needed");
}

int part_port(const char *text, cJSON **out, struct error *err)
{
    cJSON *port = cJSON_CreateObject();
    int code = strchr(text, '=') ? long_port(text, port, err) : short_port(text, port, err);
    if (code < 0)
        cJSON_Delete(port);
    else
        *out = port;
    return code;
}

int part_target_port(const char *text, int64_t *port, struct error *err)
{
    cleanup_free char *number = mem_string_n(text, strcspn(text, "/"));
    return read_port(number, port, err) < 0 ? error_wrap(err, "port %s", text) : 0;
}

/* --- mounts --- */

static bool is_true(const struct field *field)
{
    return !field->has_value || strcmp(field->value, "true") == 0 || strcmp(field->value, "1") == 0;
}

static bool is_one_of(const char *key, const char *a, const char *b, const char *c)
{
    return text_equal(key, a) || text_equal(key, b) || text_equal(key, c);
}

static int mount_field(const struct field *field, const char *given, cJSON *mount, struct error *err)
{
    int64_t number;
    if (is_one_of(field->key, "type", "type", "type"))
        edit_set_string(mount, "Type", field->value);
    else if (is_one_of(field->key, "source", "src", "source"))
        edit_set_string(mount, "Source", field->value);
    else if (is_one_of(field->key, "target", "dst", "destination"))
        edit_set_string(mount, "Target", field->value);
    else if (is_one_of(field->key, "readonly", "ro", "readonly"))
        edit_set_bool(mount, "ReadOnly", is_true(field));
    else if (strcmp(field->key, "bind-propagation") == 0)
        edit_set_string(edit_object(mount, "BindOptions"), "Propagation", field->value);
    else if (strcmp(field->key, "volume-nocopy") == 0)
        edit_set_bool(edit_object(mount, "VolumeOptions"), "NoCopy", is_true(field));
    else if (strcmp(field->key, "tmpfs-size") == 0 && part_bytes(field->value, &number, err) == 0)
        edit_set_int(edit_object(mount, "TmpfsOptions"), "SizeBytes", number);
    else if (strcmp(field->key, "tmpfs-size") == 0)
        return error_wrap(err, "mount %s", given);
    else if (strcmp(field->key, "tmpfs-mode") == 0)
        edit_set_int(edit_object(mount, "TmpfsOptions"), "Mode", strtol(field->value, NULL, 8));
    else
        return error_set(err, ERR_INVALID, "mount %s: unexpected key '%s'", given, field->key);
    return 0;
}

int part_mount(const char *given, cJSON **out, struct error *err)
{
    cleanup_free char *text = mem_string(given);
    cJSON *mount = cJSON_CreateObject();
    char *rest = text;
    struct field field;
    int code = 0;
    edit_set_string(mount, "Type", "volume");
    while (code == 0 && edit_next_field(&rest, &field))
        code = mount_field(&field, given, mount, err);
    if (code == 0 && text_empty(json_string(mount, "Target", "")))
        code = refuse(err, "mount", given, "target=PATH is needed");
    if (code < 0)
        cJSON_Delete(mount);
    else
        *out = mount;
    return code;
}

/* --- secrets, configs, networks --- */

static int reference_field(const struct field *field, const char *given, cJSON *file, const char **source, struct error *err)
{
    char *end;
    if (is_one_of(field->key, "source", "src", "source")) {
        *source = field->value;
    } else if (strcmp(field->key, "target") == 0) {
        edit_set_string(file, "Name", field->value);
    } else if (strcmp(field->key, "uid") == 0) {
        edit_set_string(file, "UID", field->value);
    } else if (strcmp(field->key, "gid") == 0) {
        edit_set_string(file, "GID", field->value);
    } else if (strcmp(field->key, "mode") == 0) {
        edit_set_int(file, "Mode", strtol(field->value, &end, 8));
        if (*end || end == field->value)
            return refuse(err, "reference", given, "mode is a number such as 0444");
    } else {
        return refuse(err, "reference", given, "its fields are source, target, uid, gid and mode");
    }
    return 0;
}

int part_reference(const char *given, bool is_secret, cJSON **out, struct error *err)
{
    cleanup_free char *text = mem_string(given);
    cJSON *reference = cJSON_CreateObject(), *file = edit_object(reference, "File");
    const char *source = strchr(given, '=') ? NULL : given;
    char *rest = text;
    struct field field;
    int code = 0;
    edit_set_string(file, "UID", "0");
    edit_set_string(file, "GID", "0");
    edit_set_int(file, "Mode", 0444);
    while (source != given && code == 0 && edit_next_field(&rest, &field))
        code = reference_field(&field, given, file, &source, err);
    if (code == 0 && text_empty(source))
        code = refuse(err, "reference", given, "source=NAME is needed");
    if (code < 0) {
        cJSON_Delete(reference);
        return code;
    }
    edit_set_string(reference, is_secret ? "SecretName" : "ConfigName", source);
    if (!cJSON_HasObjectItem(file, "Name"))
        edit_set_string(file, "Name", source);
    *out = reference;
    return 0;
}

int part_network(const char *given, cJSON **out, struct error *err)
{
    cleanup_free char *text = mem_string(given);
    cJSON *network = cJSON_CreateObject();
    char *rest = text;
    struct field field;
    if (strchr(given, '=') == NULL)
        edit_set_string(network, "Target", given);
    while (strchr(given, '=') && edit_next_field(&rest, &field)) {
        if (strcmp(field.key, "name") == 0)
            edit_set_string(network, "Target", field.value);
        else if (strcmp(field.key, "alias") == 0)
            cJSON_AddItemToArray(edit_list(network, "Aliases"), cJSON_CreateString(field.value));
        else
            edit_set_string(edit_object(network, "DriverOpts"), field.key, field.value);
    }
    if (text_empty(json_string(network, "Target", ""))) {
        cJSON_Delete(network);
        return refuse(err, "network", given, "name=NETWORK is needed");
    }
    *out = network;
    return 0;
}

/* --- sizes --- */

enum { NANO_DIGITS = 9 };

int part_cpus(const char *text, int64_t *nano, struct error *err)
{
    int64_t value = 0;
    int digits = -1; /* behind the point */
    const char *at = text;
    for (; *at && digits < NANO_DIGITS; at++) {
        if (*at == '.' && digits < 0) {
            digits = 0;
            continue;
        }
        if (!isdigit((unsigned char)*at) || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return refuse(err, "cpus", text, "not a number such as 0.5");
        digits += digits >= 0;
    }
    if (*at || at == text)
        return refuse(err, "cpus", text, *at ? "more than nine digits behind the point" : "not a number such as 0.5");
    for (int i = digits < 0 ? 0 : digits; i < NANO_DIGITS; i++)
        if (__builtin_mul_overflow(value, 10, &value))
            return refuse(err, "cpus", text, "too many");
    *nano = value;
    return 0;
}

int part_bytes(const char *text, int64_t *bytes, struct error *err)
{
    static const char units[] = "bkmgt";
    char *end;
    double number = strtod(text, &end);
    const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : units;
    const char *rest = *end && unit ? end + 1 : end;
    if (unit && unit != units && (rest[0] == 'i' || rest[0] == 'I'))
        rest++;
    if (unit && unit != units && (rest[0] == 'b' || rest[0] == 'B'))
        rest++;
    if (end == text || !isdigit((unsigned char)*text) || unit == NULL || *rest)
        return refuse(err, "size", text, "not a size such as 64m");
    for (const char *at = units; at < unit; at++)
        number *= 1024;
    if (!(number >= 0 && number < 9e18))
        return refuse(err, "size", text, "too large");
    *bytes = (int64_t)number;
    return 0;
}
