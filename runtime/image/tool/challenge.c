/* runtime/image/tool/challenge.c – see challenge.h. */
#include "runtime/image/tool/challenge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

static const char *skip(const char *text, const char *set)
{
    return text + strspn(text, set);
}

/* A value: a token, or a quoted string with backslashes. Returns behind it; NULL when a quote is not closed. */
static const char *take_value(const char *text, char **out)
{
    cleanup_buf struct buf value = {0};
    if (*text != '"') {
        size_t length = strcspn(text, ", \t\n");
        *out = mem_string_n(text, length);
        return text + length;
    }
    for (text++; *text && *text != '"' && *text != '\n'; text++) {
        if (*text == '\\' && text[1])
            text++;
        buf_append(&value, text, 1);
    }
    if (*text != '"')
        return NULL;
    *out = buf_steal_string(&value);
    return text + 1;
}

static void set_parameter(struct challenge *challenge, const char *name, size_t length, char *value)
{
    char **place = NULL;
    if (length == 5 && strncasecmp(name, "realm", 5) == 0)
        place = &challenge->realm;
    else if (length == 7 && strncasecmp(name, "service", 7) == 0)
        place = &challenge->service;
    else if (length == 5 && strncasecmp(name, "scope", 5) == 0)
        place = &challenge->scope;
    if (!place) {
        free(value);
        return;
    }
    free(*place);
    *place = value;
}

/* The parameters of one scheme, up to the line's end or to where no `name=` follows: there the next scheme begins. */
static const char *take_parameters(const char *text, struct challenge *challenge)
{
    for (;;) {
        text = skip(text, ", \t");
        size_t length = strcspn(text, "=, \t\n\"");
        const char *equals = skip(text + length, " \t");
        if (length == 0 || *equals != '=')
            return text;
        char *value;
        const char *next = take_value(skip(equals + 1, " \t"), &value);
        if (!next)
            return text + strcspn(text, "\n");
        set_parameter(challenge, text, length, value);
        text = next;
    }
}

static enum challenge_scheme scheme_of(const char *text, size_t length)
{
    if (length == 6 && strncasecmp(text, "Bearer", 6) == 0)
        return CHALLENGE_BEARER;
    return length == 5 && strncasecmp(text, "Basic", 5) == 0 ? CHALLENGE_BASIC : CHALLENGE_NONE;
}

static void adopt(struct challenge *best, struct challenge *found)
{
    if (found->scheme <= best->scheme) {
        challenge_deinit(found);
        return;
    }
    challenge_deinit(best);
    *best = *found;
}

void challenge_parse(const char *text, struct challenge *out)
{
    memset(out, 0, sizeof *out);
    while (text && *(text = skip(text, ", \t\n"))) {
        struct challenge found = {0};
        size_t length = strcspn(text, ", \t\n");
        found.scheme = scheme_of(text, length);
        const char *next = take_parameters(text + length, &found);
        adopt(out, &found);
        text = next > text ? next : text + 1;
    }
    char **fields[] = {&out->realm, &out->service, &out->scope};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!*fields[i])
            *fields[i] = mem_string("");
}

void challenge_deinit(struct challenge *challenge)
{
    free(challenge->realm);
    free(challenge->service);
    free(challenge->scope);
    memset(challenge, 0, sizeof *challenge);
}

static void wipe(char **text)
{
    if (*text)
        mem_wipe(*text, strlen(*text));
    free(steal(text));
}

void credentials_deinit(struct credentials *credentials)
{
    wipe(&credentials->username);
    wipe(&credentials->password);
    wipe(&credentials->identity_token);
    wipe(&credentials->registry_token);
}

static char *string_member(const cJSON *json, const char *key)
{
    const char *value = json_string(json, key, "");
    return *value ? mem_string(value) : NULL;
}

/* "auth": base64 of "user:password", as it stands in Docker's config file. */
static int take_auth(const cJSON *json, struct credentials *out, struct error *err)
{
    const char *auth = json_string(json, "auth", "");
    if (*auth == '\0' || out->username)
        return 0;
    cleanup_buf struct buf pair = {0};
    if (decode_base64(auth, strlen(auth), &pair, NULL) < 0 || pair.size == 0)
        return error_set(err, ERR_INVALID, "registry credentials: \"auth\" is not base64");
    const char *colon = memchr(pair.data, ':', pair.size);
    if (!colon) {
        mem_wipe(pair.data, pair.size);
        return error_set(err, ERR_INVALID, "registry credentials: \"auth\" has no ':'");
    }
    size_t user = (size_t)(colon - (const char *)pair.data);
    out->username = mem_string_n((const char *)pair.data, user);
    out->password = mem_string_n(colon + 1, strnlen(colon + 1, pair.size - user - 1));
    mem_wipe(pair.data, pair.size);
    return 0;
}

int credentials_parse(const char *text, struct credentials *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    if (text_empty(text))
        return 0;
    cleanup_buf struct buf decoded = {0};
    cleanup_json cJSON *json = NULL;
    if (decode_base64(text, strlen(text), &decoded, NULL) < 0)
        return error_set(err, ERR_INVALID, "registry credentials: not base64");
    int failed = json_parse(buf_bytes(&decoded), IMAGE_AUTH_SIZE_BYTES, &json, NULL);
    mem_wipe(decoded.data, decoded.size);
    if (failed < 0)
        return error_set(err, ERR_INVALID, "registry credentials: not JSON");
    out->username = string_member(json, "username");
    out->password = string_member(json, "password");
    out->identity_token = string_member(json, "identitytoken");
    out->registry_token = string_member(json, "registrytoken");
    failed = take_auth(json, out, err);
    if (failed < 0)
        credentials_deinit(out);
    return failed;
}

char *credentials_basic(const struct credentials *credentials)
{
    if (!credentials->username)
        return NULL;
    char *pair = mem_format("%s:%s", credentials->username, credentials->password ? credentials->password : "");
    cleanup_buf struct buf encoded = {0};
    encode_base64(bytes_of_string(pair), &encoded);
    char *header = mem_format("Basic %.*s", (int)encoded.size, (const char *)encoded.data);
    mem_wipe(pair, strlen(pair));
    mem_wipe(encoded.data, encoded.size);
    free(pair);
    return header;
}
