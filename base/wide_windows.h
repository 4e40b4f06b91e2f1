/* base/wide_windows.h – Windows' texts are UTF-16, ours UTF-8. Whatever is no valid text becomes U+FFFD. */
#ifndef SKEP_BASE_WIDE_WINDOWS_H
#define SKEP_BASE_WIDE_WINDOWS_H

#include <stddef.h>
#include <wchar.h>

#include "base/error.h"

wchar_t *wide_from_utf8(const char *text);                   /* the caller's to free */
char *wide_to_utf8(const wchar_t *wide);                     /* the caller's to free */
void wide_copy(const wchar_t *wide, char *out, size_t size); /* cut where @out ends, never within a character */

/* ERR_PERMISSION, ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE … for what GetLastError() or an HRESULT says; the message is "@what: <system's
 * words> (error N)". */
int error_set_windows(struct error *err, unsigned long code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
