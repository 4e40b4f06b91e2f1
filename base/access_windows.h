/* base/access_windows.h – who may use an object of Windows: access lists from their text form (SDDL), and groups by name. */
#ifndef SKEP_BASE_ACCESS_WINDOWS_H
#define SKEP_BASE_ACCESS_WINDOWS_H

#include <stdbool.h>
#include <wchar.h>
#include <windows.h>

#include "base/error.h"

/* @rules: a protected list, "D:P(A;;GA;;;BA)". *list lives as long as *out, which the caller gives to LocalFree(). */
int access_list_new(const wchar_t *rules, PSECURITY_DESCRIPTOR *out, PACL *list, struct error *err);

/* "S-1-…" of the group or account @name; the caller gives it to LocalFree(). ERR_NOT_FOUND: there is none. */
int access_sid_of(const char *name, wchar_t **out, struct error *err);

#endif
