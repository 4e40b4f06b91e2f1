/* proto/tls/stream.c – TLS over a libuv stream: OpenSSL works on memory, libuv moves the bytes. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/tls/credentials.h"
#include "proto/tls/tls.h"

struct tls_stream {
    uv_stream_t *transport;
    uv_timer_t close_timer;
    uv_shutdown_t shutdown;
    struct tls_snapshot *snapshot;
    SSL *ssl;
    char *server_name;
    struct tls_handlers handlers;
    struct tls_identity identity;
    struct error verdict; /* of the peer's certificate; code 0 when none was judged bad */
    unsigned handles;     /* open libuv handles: the memory goes with the last */
    unsigned writes;      /* requests that libuv has */
    bool is_server, is_unverified, shows_identity, is_verified;
    bool is_ready, has_data, is_paused, has_ended, is_closed, wants_drained, is_reading;
};

static void pump(struct tls_stream *stream);

/* --- identity --- */

static char *entry_text(X509_NAME *name, int index)
{
    unsigned char *utf8 = NULL;
    int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    char *text = length >= 0 ? mem_string_n((const char *)utf8, (size_t)length) : mem_string("");
    OPENSSL_free(utf8);
    return text;
}

static void read_identity(struct tls_stream *stream, X509 *leaf)
{
    struct tls_identity *identity = &stream->identity;
    X509_NAME *name = X509_get_subject_name(leaf);
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    identity->common_name = index >= 0 ? entry_text(name, index) : mem_string("");
    index = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
    identity->organization = index >= 0 ? entry_text(name, index) : mem_string("");
    for (index = -1; (index = X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, index)) >= 0;) {
        identity->units = mem_resize(identity->units, (identity->unit_count + 1) * sizeof *identity->units);
        identity->units[identity->unit_count++] = entry_text(name, index);
    }
    identity->not_after_wall_ns = tls_wall_ns(X509_get0_notAfter(leaf));
}

static void free_identity(struct tls_identity *identity)
{
    free((char *)(uintptr_t)identity->common_name);
    free((char *)(uintptr_t)identity->organization);
    for (size_t i = 0; i < identity->unit_count; i++)
        free((char *)(uintptr_t)identity->units[i]);
    free(identity->units);
}

bool tls_identity_has_unit(const struct tls_identity *identity, const char *unit)
{
    for (size_t i = 0; i < identity->unit_count; i++)
        if (strcmp(identity->units[i], unit) == 0)
            return true;
    return false;
}

/* What goes into the alert; the words are in the verdict. */
static int openssl_reason(enum tls_flaw flaw)
{
    switch (flaw) {
    case TLS_NOT_YET_VALID:
        return X509_V_ERR_CERT_NOT_YET_VALID;
    case TLS_EXPIRED:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case TLS_UNKNOWN_AUTHORITY:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case TLS_WRONG_NAME:
        return X509_V_ERR_HOSTNAME_MISMATCH;
    case TLS_SOUND:
    case TLS_BROKEN:
        break;
    }
    return X509_V_ERR_CERT_REJECTED;
}

static int verify_peer(X509_STORE_CTX *context, void *unused)
{
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_stream *stream = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    if (stream->is_unverified)
        return 1;
    enum tls_flaw flaw;
    int64_t wall_ns = clock_wall_ns(&stream->snapshot->clock);
    if (tls_verify(leaf, X509_STORE_CTX_get0_untrusted(context), stream->snapshot->roots, stream->is_server ? TLS_AS_CLIENT : TLS_AS_SERVER,
                   stream->is_server ? NULL : stream->server_name, wall_ns, &flaw, &stream->verdict) < 0) {
        X509_STORE_CTX_set_error(context, openssl_reason(flaw));
        return 0;
    }
    X509_STORE_CTX_set_error(context, X509_V_OK);
    stream->is_verified = true;
    read_identity(stream, leaf);
    return 1;
}

/* --- ends --- */

static void end(struct tls_stream *stream, const struct error *err)
{
    if (stream->has_ended || stream->is_closed)
        return;
    stream->has_ended = true;
    if (stream->is_reading)
        uv_read_stop(stream->transport);
    stream->is_reading = false;
    stream->handlers.on_end(stream->handlers.ctx, err);
}

/* Under TLS 1.3 a server judges our certificate after our handshake is done: a refusal looks like a connection that breaks at once (§9,
 * trap 5). */
static bool looks_refused(const struct tls_stream *stream)
{
    return !stream->is_server && stream->shows_identity && stream->is_ready && !stream->has_data;
}

static void end_broken(struct tls_stream *stream, int uv_code)
{
    struct error err = {0};
    if (looks_refused(stream))
        error_set(&err, ERR_TRUST, "the peer closed the connection as soon as it saw our certificate: it does not accept it");
    else if (uv_code == UV_EOF && stream->is_ready)
        return end(stream, NULL);
    else if (uv_code == UV_EOF)
        error_set(&err, ERR_UNAVAILABLE, "the peer closed the connection during the TLS handshake");
    else
        error_set_uv(&err, uv_code, stream->is_ready ? "connection" : "TLS handshake");
    end(stream, &err);
}

static bool is_certificate_alert(int reason)
{
    return reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || reason == SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE ||
           reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED ||
           reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN || reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA ||
           reason == SSL_R_TLSV1_ALERT_ACCESS_DENIED || reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED;
}

static void end_tls(struct tls_stream *stream)
{
    struct error err = {0};
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *words = ERR_reason_error_string(code);
    if (stream->verdict.code != 0)
        err = stream->verdict;
    else if (is_certificate_alert(reason))
        error_set(&err, ERR_TRUST, "the peer does not accept our certificate (%s)", words);
    else if (!stream->is_ready &&
             (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
              reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_UNEXPECTED_MESSAGE))
        error_set(&err, ERR_PEER, "the peer does not speak TLS");
    else
        error_set(&err, ERR_PEER, "TLS: %s", words ? words : "the peer broke the protocol");
    ERR_clear_error();
    end(stream, &err);
}

/* --- bytes out --- */

struct write_request {
    uv_write_t req;
    uint8_t data[];
};

static void on_written(uv_write_t *req, int status)
{
    struct tls_stream *stream = req->data;
    free(req);
    stream->writes--;
    if (stream->is_closed)
        return;
    if (status < 0 && status != UV_ECANCELED) {
        end_broken(stream, status);
        return;
    }
    if (stream->writes == 0 && stream->wants_drained && !stream->has_ended) {
        stream->wants_drained = false;
        stream->handlers.on_drained(stream->handlers.ctx);
    }
}

/* Move what OpenSSL has made to the socket. */
static void flush(struct tls_stream *stream)
{
    BIO *out = SSL_get_wbio(stream->ssl);
    size_t size = BIO_ctrl_pending(out);
    if (size == 0 || uv_is_closing((uv_handle_t *)stream->transport))
        return;
    struct write_request *request = mem_alloc(sizeof *request + size);
    BIO_read(out, request->data, (int)size);
    uv_buf_t piece = uv_buf_init((char *)request->data, (unsigned)size);
    int wrote = stream->writes == 0 ? uv_try_write(stream->transport, &piece, 1) : 0;
    if (wrote == (int)size) {
        free(request);
        return;
    }
    if (wrote > 0)
        piece = uv_buf_init((char *)request->data + wrote, (unsigned)(size - (size_t)wrote));
    request->req.data = stream;
    if (uv_write(&request->req, stream->transport, &piece, 1, on_written) < 0) {
        free(request); /* the reading side will see the same broken socket */
        return;
    }
    stream->writes++;
    stream->wants_drained = true;
}

void tls_stream_write(struct tls_stream *stream, struct bytes data)
{
    if (stream->has_ended || stream->is_closed || !stream->is_ready)
        return;
    while (data.size > 0) {
        size_t part = data.size > MIB ? MIB : data.size, wrote = 0;
        if (SSL_write_ex(stream->ssl, data.data, part, &wrote) != 1)
            break; /* memory never blocks: the connection is broken, and reading says so */
        data = bytes_of(data.data + wrote, data.size - wrote);
    }
    ERR_clear_error();
    flush(stream);
}

size_t tls_stream_queued(const struct tls_stream *stream)
{
    return uv_stream_get_write_queue_size(stream->transport);
}

/* --- bytes in --- */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    static char shared[64 * KIB]; /* one loop, and the bytes are copied on before control returns to it */
    *buf = uv_buf_init(shared, sizeof shared);
}

static void on_read(uv_stream_t *transport, ssize_t size, const uv_buf_t *buf)
{
    struct tls_stream *stream = transport->data;
    if (size < 0) {
        end_broken(stream, (int)size);
        return;
    }
    BIO_write(SSL_get_rbio(stream->ssl), buf->base, (int)size);
    pump(stream);
}

static void set_reading(struct tls_stream *stream)
{
    bool wanted = !stream->is_paused && !stream->has_ended && !stream->is_closed;
    if (wanted == stream->is_reading)
        return;
    stream->is_reading = wanted;
    if (wanted)
        uv_read_start(stream->transport, allocate, on_read);
    else
        uv_read_stop(stream->transport);
}

static bool shake_hands(struct tls_stream *stream)
{
    int done = SSL_do_handshake(stream->ssl);
    flush(stream);
    if (done == 1) {
        stream->is_ready = true;
        stream->handlers.on_ready(stream->handlers.ctx);
        return !stream->is_closed && !stream->has_ended;
    }
    if (SSL_get_error(stream->ssl, done) != SSL_ERROR_WANT_READ)
        end_tls(stream);
    return false;
}

/* The stream may be closed inside each callback; its memory lives until the loop has closed the socket. */
static void pump(struct tls_stream *stream)
{
    if (!stream->is_ready && !shake_hands(stream))
        return;
    uint8_t data[16 * KIB];
    size_t size = 0, most = 0;
    while (!stream->is_closed && !stream->has_ended) {
        int got = SSL_read_ex(stream->ssl, data, sizeof data, &size);
        if (got != 1) {
            int why = SSL_get_error(stream->ssl, got);
            flush(stream); /* an answer to a key update or an alert */
            if (why == SSL_ERROR_ZERO_RETURN)
                end_broken(stream, UV_EOF);
            else if (why != SSL_ERROR_WANT_READ)
                end_tls(stream);
            break;
        }
        most = size > most ? size : most;
        stream->has_data = true;
        stream->handlers.on_data(stream->handlers.ctx, bytes_of(data, size));
    }
    mem_wipe(data, most); /* secrets came this way */
}

void tls_stream_pause(struct tls_stream *stream, bool is_paused)
{
    if (stream->is_paused == is_paused)
        return;
    stream->is_paused = is_paused;
    set_reading(stream);
}

/* --- life --- */

struct tls_stream *tls_stream_new(uv_stream_t *transport, const struct tls_options *options, const struct tls_handlers *handlers)
{
    struct tls_stream *stream = mem_alloc(sizeof *stream);
    stream->transport = transport;
    transport->data = stream;
    stream->handlers = *handlers;
    stream->is_server = options->is_server;
    stream->is_unverified = options->is_unverified;
    stream->server_name = mem_string(options->server_name);
    stream->snapshot = tls_snapshot_take(options->credentials);
    stream->shows_identity = !options->is_anonymous && stream->snapshot->has_identity;
    stream->handles = 2;
    uv_timer_init(transport->loop, &stream->close_timer);
    stream->close_timer.data = stream;
    struct tls_snapshot *snapshot = stream->snapshot;
    SSL_CTX *ctx = options->is_server ? snapshot->server : options->is_anonymous ? snapshot->anonymous : snapshot->client;
    SSL_CTX_set_cert_verify_callback(ctx, verify_peer, NULL);
    stream->ssl = SSL_new(ctx);
    SSL_set_app_data(stream->ssl, stream);
    SSL_set_bio(stream->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_verify(stream->ssl, SSL_VERIFY_PEER, NULL);
    if (options->is_server) {
        SSL_set_accept_state(stream->ssl);
    } else {
        SSL_set_connect_state(stream->ssl);
        if (options->server_name)
            SSL_set_tlsext_host_name(stream->ssl, options->server_name);
        int done = SSL_do_handshake(stream->ssl); /* makes the first flight; cannot end here */
        (void)done;
        flush(stream);
    }
    set_reading(stream);
    return stream;
}

const struct tls_identity *tls_stream_peer(const struct tls_stream *stream)
{
    return stream->is_verified ? &stream->identity : NULL;
}

uv_stream_t *tls_stream_transport(struct tls_stream *stream)
{
    return stream->transport;
}

static void on_closed(uv_handle_t *handle)
{
    struct tls_stream *stream = handle->data;
    if (--stream->handles > 0)
        return;
    SSL_free(stream->ssl);
    tls_snapshot_drop(stream->snapshot);
    free_identity(&stream->identity);
    free(stream->server_name);
    free(stream->transport);
    free(stream);
}

static void close_handles(struct tls_stream *stream)
{
    if (uv_is_closing((uv_handle_t *)stream->transport))
        return;
    uv_close((uv_handle_t *)stream->transport, on_closed);
    uv_close((uv_handle_t *)&stream->close_timer, on_closed);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    close_handles(req->data);
}

static void on_close_timer(uv_timer_t *timer)
{
    close_handles(timer->data);
}

void tls_stream_abort(struct tls_stream *stream)
{
    stream->is_closed = true;
    if (uv_is_closing((uv_handle_t *)stream->transport))
        return;
    if (stream->transport->type != UV_TCP || uv_tcp_close_reset((uv_tcp_t *)stream->transport, on_closed) < 0)
        uv_close((uv_handle_t *)stream->transport, on_closed);
    uv_close((uv_handle_t *)&stream->close_timer, on_closed);
}

void tls_stream_close(struct tls_stream *stream)
{
    if (stream->is_closed)
        return;
    if (stream->is_ready && !stream->has_ended) {
        SSL_shutdown(stream->ssl);
        ERR_clear_error();
        flush(stream);
    }
    stream->is_closed = true;
    set_reading(stream);
    stream->shutdown.data = stream;
    if (stream->has_ended || uv_shutdown(&stream->shutdown, stream->transport, on_shutdown) < 0)
        close_handles(stream);
    else
        uv_timer_start(&stream->close_timer, on_close_timer, TLS_CLOSE_MS, 0);
}
