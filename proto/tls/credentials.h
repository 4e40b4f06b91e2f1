/* proto/tls/credentials.h – inside proto/tls: what a connection keeps of the credentials it was made with. */
#ifndef SKEP_PROTO_TLS_CREDENTIALS_H
#define SKEP_PROTO_TLS_CREDENTIALS_H

#include <openssl/ssl.h>

#include "proto/tls/tls.h"

/* One setting of the credentials, unchanging, counted. */
struct tls_snapshot {
    unsigned references;
    struct clock clock;
    STACK_OF(X509) * roots; /* NULL: none */
    bool has_identity;
    SSL_CTX *client, *anonymous, *server;
};

struct tls_snapshot *tls_snapshot_take(struct tls_credentials *credentials);
void tls_snapshot_drop(struct tls_snapshot *snapshot);

#endif
