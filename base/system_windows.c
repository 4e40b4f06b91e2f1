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
    DWORD length = FormatMessageW(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code, 0,
                                  (wchar_t *)&text, 0, NULL);
    while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.'))
        text[--length] = L'\0';
    cleanup_free char *utf8 = length > 0 ? utf8_from_wide(text) : NULL;
    LocalFree(text);
    snprintf(out, size, utf8 ? "%s (error %lu)" : "%serror %lu", utf8 ? utf8 : "", (unsigned long)code);
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
    return error_set(err, ERR_IO, "%s: %s", what, why);
}

bool system_is_wine(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}
