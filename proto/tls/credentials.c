/* proto/tls/credentials.c – PEM into OpenSSL's contexts. */
#include "proto/tls/credentials.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct tls_credentials {
    struct clock clock;
    struct tls_snapshot *snapshot;
};

static const unsigned char alpn_h2[] = {2, 'h', '2'};

/* h2 where it is offered; no answer where something else is: the peer then speaks HTTP/2 all the same, or fails at its preface. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *size, const unsigned char *in, unsigned in_size, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned i = 0; i < in_size; i += 1u + in[i])
        if (in_size - i >= sizeof alpn_h2 && memcmp(in + i, alpn_h2, sizeof alpn_h2) == 0) {
            *out = in + i + 1;
            *size = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *new_context(bool is_server)
{
    SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (is_server)
        SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    else
        SSL_CTX_set_alpn_protos(ctx, alpn_h2, sizeof alpn_h2);
    return ctx;
}

static void use_identity(SSL_CTX *ctx, STACK_OF(X509) * chain, EVP_PKEY *key)
{
    if (chain == NULL)
        return;
    SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0));
    for (int i = 1; i < sk_X509_num(chain); i++)
        SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i));
    SSL_CTX_use_PrivateKey(ctx, key);
}

struct tls_snapshot *tls_snapshot_take(struct tls_credentials *credentials)
{
    credentials->snapshot->references++;
    return credentials->snapshot;
}

void tls_snapshot_drop(struct tls_snapshot *snapshot)
{
    if (snapshot == NULL || --snapshot->references > 0)
        return;
    tls_list_free(snapshot->roots);
    SSL_CTX_free(snapshot->client);
    SSL_CTX_free(snapshot->anonymous);
    SSL_CTX_free(snapshot->server);
    free(snapshot);
}

/* Takes @roots. */
static struct tls_snapshot *new_snapshot(const struct clock *clock, STACK_OF(X509) * chain, EVP_PKEY *key, STACK_OF(X509) * roots)
{
    struct tls_snapshot *snapshot = mem_alloc(sizeof *snapshot);
    *snapshot = (struct tls_snapshot){.references = 1, .clock = *clock, .roots = roots, .has_identity = chain != NULL};
    snapshot->client = new_context(false);
    snapshot->anonymous = new_context(false);
    snapshot->server = new_context(true);
    use_identity(snapshot->client, chain, key);
    use_identity(snapshot->server, chain, key);
    for (int i = 0; i < sk_X509_num(roots); i++)
        SSL_CTX_add_client_CA(snapshot->server, sk_X509_value(roots, i));
    return snapshot;
}

struct tls_credentials *tls_credentials_new(const struct clock *clock)
{
    struct tls_credentials *credentials = mem_alloc(sizeof *credentials);
    credentials->clock = *clock;
    credentials->snapshot = new_snapshot(clock, NULL, NULL, NULL);
    return credentials;
}

void tls_credentials_free(struct tls_credentials *credentials)
{
    if (credentials == NULL)
        return;
    tls_snapshot_drop(credentials->snapshot);
    free(credentials);
}

/* SwarmKit writes "name: value" lines and an empty one behind BEGIN, which OpenSSL takes for RFC 1421 encryption headers. */
static void strip_headers(struct bytes pem, struct buf *out)
{
    const char *text = pem.size > 0 ? (const char *)pem.data : "", *end = text + pem.size;
    bool may_be_header = false;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t length = line_end ? (size_t)(line_end - text) + 1 : (size_t)(end - text);
        bool is_begin = length > 10 && memcmp(text, "-----BEGIN", 10) == 0;
        bool is_header = may_be_header && (memchr(text, ':', length) != NULL || text[0] == '\n' || text[0] == '\r');
        if (!is_header)
            buf_append(out, text, length);
        may_be_header = is_begin || is_header;
        text += length;
    }
}

/* No prompt for a password: a key that is encrypted cannot be read here. */
static int no_password(char *buffer, int size, int writing, void *ctx)
{
    (void)buffer, (void)size, (void)writing, (void)ctx;
    return -1;
}

static int read_key(struct bytes pem, EVP_PKEY **out, struct error *err)
{
    if (pem.size > CERTIFICATE_PEM_SIZE_BYTES)
        return error_set(err, ERR_LIMIT, "the key: larger than %u bytes", CERTIFICATE_PEM_SIZE_BYTES);
    struct buf plain = {0};
    strip_headers(pem, &plain);
    BIO *bio = BIO_new_mem_buf(plain.size ? (const void *)plain.data : "", (int)plain.size);
    *out = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    mem_wipe(plain.data, plain.size);
    buf_deinit(&plain);
    ERR_clear_error();
    return *out ? 0 : error_set(err, ERR_CORRUPT, "the key cannot be read");
}

static int read_identity(struct bytes chain_pem, struct bytes key_pem, STACK_OF(X509) * *chain, EVP_PKEY **key, struct error *err)
{
    if (tls_read_list(chain_pem, chain, err) < 0)
        return error_wrap(err, "the certificate");
    if (read_key(key_pem, key, err) < 0)
        return err->code;
    bool fits = X509_check_private_key(sk_X509_value(*chain, 0), *key) == 1;
    ERR_clear_error();
    return fits ? 0 : error_set(err, ERR_CORRUPT, "the key is not the certificate's");
}

int tls_credentials_set(struct tls_credentials *credentials, struct bytes chain_pem, struct bytes key_pem, struct bytes roots_pem,
                        struct error *err)
{
    STACK_OF(X509) *chain = NULL, *roots = NULL;
    EVP_PKEY *key = NULL;
    struct error cause = {0};
    int failed = chain_pem.size > 0 ? read_identity(chain_pem, key_pem, &chain, &key, &cause) : 0;
    if (failed == 0 && roots_pem.size > 0 && tls_read_list(roots_pem, &roots, &cause) < 0)
        failed = error_wrap(&cause, "the root CA");
    if (failed == 0) {
        tls_snapshot_drop(credentials->snapshot);
        credentials->snapshot = new_snapshot(&credentials->clock, chain, key, roots);
    } else {
        tls_list_free(roots);
        error_set(err, cause.code, "%s", cause.message);
    }
    tls_list_free(chain);
    EVP_PKEY_free(key);
    return failed;
}
