/* manager/ca/blacklist.c – see blacklist.h. */
#include "manager/ca/blacklist.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/identity/pem.h"
#include "proto/message.h"
#include "proto/tls/verify.h"

typedef Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry entry;

/* The end of the node's certificate; 0 when it has none that can be read: one that it renews was taken away for the new one. */
static int64_t end_of(const Docker__Swarmkit__V1__Node *node)
{
    cleanup_certificates STACK_OF(X509) *chain = NULL;
    if (!node->certificate || pem_read_certificates(message_bytes(node->certificate->certificate), "the certificate", &chain, NULL) < 0)
        return 0;
    return tls_wall_ns(X509_get0_notAfter(sk_X509_value(chain, 0)));
}

static entry *find(const Docker__Swarmkit__V1__Cluster *cluster, const char *node_id)
{
    for (size_t i = 0; i < cluster->n_blacklisted_certificates; i++)
        if (text_equal(cluster->blacklisted_certificates[i]->key, node_id))
            return cluster->blacklisted_certificates[i];
    return NULL;
}

static entry *append(Docker__Swarmkit__V1__Cluster *cluster, const char *node_id)
{
    entry *made = MESSAGE_NEW(entry, docker__swarmkit__v1__cluster__blacklisted_certificates_entry);
    made->value = MESSAGE_NEW(Docker__Swarmkit__V1__BlacklistedCertificate, docker__swarmkit__v1__blacklisted_certificate);
    message_set_string(&made->key, node_id);
    cluster->blacklisted_certificates =
        mem_resize(cluster->blacklisted_certificates, (cluster->n_blacklisted_certificates + 1) * sizeof(entry *));
    cluster->blacklisted_certificates[cluster->n_blacklisted_certificates++] = made;
    return made;
}

static void set_end(Docker__Swarmkit__V1__BlacklistedCertificate *value, int64_t end_ns)
{
    if (!value->expiry)
        value->expiry = MESSAGE_NEW(Google__Protobuf__Timestamp, google__protobuf__timestamp);
    message_set_timestamp(value->expiry, end_ns);
}

static void forget_end(Docker__Swarmkit__V1__BlacklistedCertificate *value)
{
    message_free(value->expiry ? &value->expiry->base : NULL);
    value->expiry = NULL;
}

void ca_blacklist_add(Docker__Swarmkit__V1__Cluster *cluster, const Docker__Swarmkit__V1__Node *node)
{
    entry *found = find(cluster, node->id);
    int64_t end_ns = end_of(node);
    if (found && (!found->value || !found->value->expiry))
        return; /* for good already */
    bool is_later = !found || end_ns > message_timestamp_ns(found->value->expiry, 0);
    entry *place = found ? found : append(cluster, node->id);
    if (end_ns == 0)
        forget_end(place->value);
    else if (is_later)
        set_end(place->value, end_ns);
}

static bool is_over(const entry *one, int64_t wall_ns)
{
    if (!one->value || !one->value->expiry)
        return false;
    return message_timestamp_ns(one->value->expiry, 0) < wall_ns - CA_BLACKLIST_GRACE_S * (int64_t)NS_PER_S;
}

void ca_blacklist_expire(Docker__Swarmkit__V1__Cluster *cluster, int64_t wall_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < cluster->n_blacklisted_certificates; i++) {
        entry *one = cluster->blacklisted_certificates[i];
        if (is_over(one, wall_ns))
            message_free(&one->base);
        else
            cluster->blacklisted_certificates[kept++] = one;
    }
    cluster->n_blacklisted_certificates = kept;
    if (kept > 0)
        return;
    free(cluster->blacklisted_certificates); /* protobuf-c leaves an empty list's memory behind */
    cluster->blacklisted_certificates = NULL;
}
