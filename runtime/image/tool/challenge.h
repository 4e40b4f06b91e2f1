/* runtime/image/tool/challenge.h – what a registry asks for with 401, and what the credentials we were given say. Pure.
 *
 *     WWW-Authenticate: Bearer realm="https://auth.example/token",service="registry",scope="repository:app:pull" */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_CHALLENGE_H
#define SKEP_RUNTIME_IMAGE_TOOL_CHALLENGE_H

#include <stdbool.h>

#include "base/error.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

/* Fields are "" where not given. Owned; freed with challenge_deinit. */
struct challenge {
    enum challenge_scheme scheme;
    char *realm, *service, *scope;
};

/* @text: the values of all WWW-Authenticate headers, one per line. Bearer is preferred to Basic; other schemes are passed over. */
void challenge_parse(const char *text, struct challenge *out);
void challenge_deinit(struct challenge *challenge);

/* Docker's auth config. Fields are NULL where not given. Owned; wiped and freed with credentials_deinit. */
struct credentials {
    char *username, *password, *identity_token, *registry_token;
};

/* From X-Registry-Auth: base64 of JSON; "" and "{}" are no credentials. ERR_INVALID; the message never holds them. */
int credentials_parse(const char *text, struct credentials *out, struct error *err);
void credentials_deinit(struct credentials *credentials);

/* "Basic dXNlcjpwYXNz"; NULL without a user name. Freed by the caller, who wipes it. */
char *credentials_basic(const struct credentials *credentials);

#endif
