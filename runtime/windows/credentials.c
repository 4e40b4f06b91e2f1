/* runtime/windows/credentials.c – a container's credential spec: read from where it is, and given to HCS. On a thread of the pool.
 *
 * Schema 1 takes the text in its document. For schema 2 the service makes a credential guard for the container first, whose state the
 * document then has. hcs.md §3.9, §8.2. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/windows/credential_spec.h"
#include "runtime/windows/host.h"

#define REGISTRY_KEY L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Virtualization\\Containers\\CredentialSpecs"

/* --- reading --- */

static int read_file(const struct windows_system *s, const char *name, struct arena *arena, const char **out, struct error *err)
{
    cleanup_free char *path = mem_format("%s\\CredentialSpecs\\%s", s->host->state_dir, name);
    cleanup_buf struct buf text = {0};

    if (file_read(path, CREDENTIAL_SPEC_SIZE_BYTES, &text, err) < 0)
        return error_wrap(err, "credential spec file://%s", name);
    if (memchr(text.data ? (const char *)text.data : "", '\0', text.size))
        return error_set(err, ERR_INVALID, "credential spec file://%s: not a text", name);
    *out = arena_string_n(arena, text.data ? (const char *)text.data : "", text.size);
    return 0;
}

static int read_registry(const char *name, struct arena *arena, const char **out, struct error *err)
{
    cleanup_free WCHAR *wide_name = wide_from_utf8(name), *text = mem_array(CREDENTIAL_SPEC_SIZE_BYTES, sizeof *text);
    DWORD size = CREDENTIAL_SPEC_SIZE_BYTES * sizeof *text;
    LSTATUS status = RegGetValueW(HKEY_LOCAL_MACHINE, REGISTRY_KEY, wide_name, RRF_RT_REG_SZ, NULL, text, &size);

    if (status != ERROR_SUCCESS)
        return error_set_windows(err, (uint32_t)status, "credential spec registry://%s", name);
    cleanup_free char *narrow = utf8_from_wide(text);
    *out = arena_string(arena, narrow ? narrow : "");
    return 0;
}

static int read_spec(const struct windows_system *s, struct arena *arena, const char **out, struct error *err)
{
    enum windows_credential_source source;
    const char *where = s->document.windows.credential_spec, *rest = NULL;
    int result;

    if (windows_credential_spec_parse(where, &source, &rest, err) < 0)
        return err->code;
    *out = rest;
    result = source == WINDOWS_CREDENTIAL_FILE       ? read_file(s, rest, arena, out, err)
             : source == WINDOWS_CREDENTIAL_REGISTRY ? read_registry(rest, arena, out, err)
                                                     : 0;
    if (result < 0)
        return result;
    return windows_credential_spec_check(*out, source == WINDOWS_CREDENTIAL_RAW ? "its text" : where, err);
}

int windows_credentials_check(const struct windows_system *s, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const char *spec = NULL;

    return s->document.windows.credential_spec ? read_spec(s, &arena, &spec, err) : 0;
}

/* --- the guard --- */

static bool has_guard(const struct windows_system *s)
{
    return s->document.windows.credential_spec && s->form == WINDOWS_FORM_2;
}

int windows_credentials_begin(const struct windows_system *s, struct arena *arena, struct windows_place *place, cJSON **guard,
                              struct error *err)
{
    if (!s->document.windows.credential_spec)
        return 0;
    if (read_spec(s, arena, &place->credential_spec, err) < 0)
        return err->code;
    if (!has_guard(s))
        return 0;
    if (windows_guard_make(s, place->credential_spec, guard, err) < 0)
        return err->code;
    place->credential_guard = json_object(*guard, "CredentialGuard");
    place->credential_socket = json_object(*guard, "HvSocketConfig");
    return 0;
}

void windows_credentials_end(const struct windows_system *s)
{
    struct error err = {0};

    if (!has_guard(s))
        return;
    cleanup_free char *name = windows_owned_name(s);
    if (windows_guard_remove(s->host, name, &err) < 0 && err.code != ERR_NOT_FOUND)
        log_with(LOG_WARN, "runtime", LOG_FIELDS({"container", s->id}), "its credential guard stays: %s", err.message);
}
