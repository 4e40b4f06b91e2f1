/* base/system_windows.h – between our texts and errors and those of Windows: what is UTF-8 and a libuv code here is UTF-16 and a number of
 * GetLastError() there. For *_windows.c and the folders of that name. */
#ifndef SKEP_BASE_SYSTEM_WINDOWS_H
#define SKEP_BASE_SYSTEM_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include "base/error.h"

/* Owned by the caller, NULL for NULL. What is not well-formed becomes U+FFFD. */
wchar_t *wide_from_utf8(const char *text);
char *utf8_from_wide(const wchar_t *text);

/* @path made absolute, with backslashes and the prefix that lifts the limit of 260 characters ("\\?\C:\…", "\\?\UNC\server\…"). What has a
 * prefix already, or is a device ("\\.\pipe\…"), stays as it is. Owned by the caller. */
wchar_t *wide_path(const char *path);

/* As error_set_uv(), of a number of GetLastError(): "open C:\x: no such file or directory". One that libuv has no word for is told as the
 * system tells it, with its number. */
int error_set_windows(struct error *err, uint32_t code, const char *format, ...) __attribute__((format(SKEP_PRINTF, 3, 4)));

/* What the registry says of this Windows (…\Windows NT\CurrentVersion): "CurrentBuildNumber", "UBR", "InstallationType". GetVersionEx()
 * tells programs what they like to hear, and knows no revision. "" and 0 where there is nothing. */
void version_read_text(const wchar_t *name, char *out, size_t size);
uint32_t version_read_number(const wchar_t *name);
void version_read_build(char *out, size_t size); /* "20348.2322"; early builds have no revision, which is 0 then */

/* Are we under Wine, which has some functions only in name? For tests, which say what they leave out. */
bool system_is_wine(void);

#endif
