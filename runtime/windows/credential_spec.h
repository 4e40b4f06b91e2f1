/* runtime/windows/credential_spec.h – what Skep.Windows.CredentialSpec may say: a group managed service account's credential spec itself,
 * or where on the host it is, in Docker's words. Pure.
 *
 *     {"CmsPlugins":["ActiveDirectory"],…}     the spec, JSON; also behind "raw://"
 *     file://web.json                          a file below the state directory's CredentialSpecs, and never outside it
 *     registry://web                           a value below HKEY_LOCAL_MACHINE, see credentials.c
 *
 * Source: hcs.md §8.2, what dockerd takes. */
#ifndef SKEP_RUNTIME_WINDOWS_CREDENTIAL_SPEC_H
#define SKEP_RUNTIME_WINDOWS_CREDENTIAL_SPEC_H

#include "base/error.h"

enum windows_credential_source { WINDOWS_CREDENTIAL_RAW, WINDOWS_CREDENTIAL_FILE, WINDOWS_CREDENTIAL_REGISTRY };

/* *rest: what follows the scheme, borrowed. ERR_INVALID for another scheme, and a name that leads elsewhere. */
int windows_credential_spec_parse(const char *text, enum windows_credential_source *source, const char **rest, struct error *err);

/* Is this a spec? ERR_INVALID, ERR_LIMIT beyond CREDENTIAL_SPEC_SIZE_BYTES. @where for the message. */
int windows_credential_spec_check(const char *spec, const char *where, struct error *err);

#endif
