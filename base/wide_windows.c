/* base/wide_windows.c – see wide_windows.h. */
#include "base/wide_windows.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/mem.h"

wchar_t *wide_from_utf8(const char *text)
{
    int count = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = mem_array((size_t)(count > 0 ? count : 1), sizeof *wide);

    if (MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, count) == 0)
        wide[0] = L'\0';
    return wide;
}

char *wide_to_utf8(const wchar_t *wide)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = mem_alloc((size_t)(size > 0 ? size : 1));

    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL) == 0)
        text[0] = '\0';
    return text;
}

void wide_copy(const wchar_t *wide, char *out, size_t size)
{
    cleanup_free char *text = wide_to_utf8(wide);
    size_t length = strlen(text);

    if (length >= size)
        for (length = size - 1; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;)
            length--;
    memcpy(out, text, length);
    out[length] = '\0';
}

static int code_of(unsigned long code)
{
    switch (code) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_SERVICE_DOES_NOT_EXIST:
    case ERROR_NONE_MAPPED:
        return ERR_NOT_FOUND;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
        return ERR_PERMISSION;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
    case ERROR_SERVICE_EXISTS:
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
        return ERR_EXISTS;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return ERR_NO_SPACE;
    case ERROR_INVALID_PARAMETER:
    case ERROR_INVALID_NAME:
        return ERR_INVALID;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return ERR_LIMIT;
    default:
        return ERR_IO;
    }
}

int error_set_windows(struct error *err, unsigned long code, const char *format, ...)
{
    char what[ERROR_MESSAGE_SIZE_BYTES];
    wchar_t *words = NULL;
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    FormatMessageW(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code,
                   MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), (wchar_t *)&words, 0, NULL);
    cleanup_free char *text = words ? wide_to_utf8(words) : mem_string("");
    LocalFree(words);
    text[strcspn(text, "\r\n")] = '\0';
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '.')
        text[length - 1] = '\0';
    return error_set(err, code_of(code), "%s: %s (error %lu)", what, text[0] ? text : "Windows has no words for it", code);
}
