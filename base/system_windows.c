/* base/system_windows.c – see system_windows.h. */
#include "base/system_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"

wchar_t *wide_from_utf8(const char *text)
{
    if (text == NULL)
        return NULL;
    int length = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = mem_array((size_t)length + 1, sizeof *wide);
    MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, length);
    return wide;
}

char *utf8_from_wide(const wchar_t *text)
{
    if (text == NULL)
        return NULL;
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *utf8 = mem_alloc((size_t)size + 1);
    WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, size, NULL, NULL);
    return utf8;
}

static bool has_prefix(const wchar_t *path)
{
    return wcsncmp(path, L"\\\\?\\", 4) == 0 || wcsncmp(path, L"\\\\.\\", 4) == 0;
}

wchar_t *wide_path(const char *path)
{
    static const wchar_t local[] = L"\\\\?\\", share[] = L"\\\\?\\UNC\\";
    cleanup_free wchar_t *given = wide_from_utf8(path);
    if (has_prefix(given))
        return steal(&given);
    DWORD size = GetFullPathNameW(given, 0, NULL, NULL); /* with its terminator */
    cleanup_free wchar_t *full = mem_array((size_t)size + 1, sizeof *full);
    DWORD length = GetFullPathNameW(given, size, full, NULL);
    if (length == 0 || length >= size || has_prefix(full))
        return length == 0 || length >= size ? steal(&given) : steal(&full);
    bool is_share = wcsncmp(full, L"\\\\", 2) == 0;
    const wchar_t *prefix = is_share ? share : local, *rest = full + (is_share ? 2 : 0);
    size_t prefix_length = wcslen(prefix), rest_length = wcslen(rest);
    wchar_t *whole = mem_array(prefix_length + rest_length + 1, sizeof *whole);
    wmemcpy(whole, prefix, prefix_length);
    wmemcpy(whole + prefix_length, rest, rest_length);
    return whole;
}

/* The system's own sentence, without its full stop and line end. */
static void describe(uint32_t code, char *out, size_t size)
{
    wchar_t *text = NULL;
    DWORD length = FormatMessageW(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code,
                                  0, (wchar_t *)&text, 0, NULL);
    while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.'))
        text[--length] = L'\0';
    cleanup_free char *utf8 = length > 0 ? utf8_from_wide(text) : NULL;
    LocalFree(text);
    snprintf(out, size, utf8 ? "%s (error %lu)" : "%serror %lu", utf8 ? utf8 : "", (unsigned long)code);
}

/* Those that libuv has no word for. */
static int code_of(uint32_t code)
{
    switch (code) {
    case ERROR_SERVICE_DOES_NOT_EXIST:
    case ERROR_NONE_MAPPED:
        return ERR_NOT_FOUND;
    case ERROR_SERVICE_EXISTS:
        return ERR_EXISTS;
    case ERROR_PRIVILEGE_NOT_HELD:
        return ERR_PERMISSION;
    default:
        return ERR_IO;
    }
}

int error_set_windows(struct error *err, uint32_t code, const char *format, ...)
{
    char what[ERROR_MESSAGE_SIZE_BYTES], why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int uv_code = uv_translate_sys_error((int)code);
    if (uv_code < 0 && uv_code != UV_UNKNOWN)
        return error_set_uv(err, uv_code, "%s", what);
    describe(code, why, sizeof why);
    return error_set(err, code_of(code), "%s: %s", what, why);
}

/* --- the registry --- */

static const wchar_t version_key[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";

void version_read_text(const wchar_t *name, char *out, size_t size)
{
    wchar_t value[128];
    DWORD bytes = sizeof value;

    out[0] = '\0';
    if (RegGetValueW(HKEY_LOCAL_MACHINE, version_key, name, RRF_RT_REG_SZ, NULL, value, &bytes) != ERROR_SUCCESS)
        return;
    cleanup_free char *text = utf8_from_wide(value);
    snprintf(out, size, "%s", text);
}

uint32_t version_read_number(const wchar_t *name)
{
    DWORD value = 0, bytes = sizeof value;

    return RegGetValueW(HKEY_LOCAL_MACHINE, version_key, name, RRF_RT_REG_DWORD, NULL, &value, &bytes) == ERROR_SUCCESS ? value : 0;
}

void version_read_build(char *out, size_t size)
{
    char build[16];

    version_read_text(L"CurrentBuildNumber", build, sizeof build);
    out[0] = '\0';
    if (build[0])
        snprintf(out, size, "%s.%u", build, version_read_number(L"UBR"));
}

bool system_is_wine(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}
