/* manager/control/cluster.c – the cluster itself: looked at without its secrets, and changed. */
#include "base/clock.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "manager/control/inside.h"
#include "proto/message.h"

/* A removed node's certificate is kept in mind for as long as some clock may still take it for good. One without an expiry always is. */
void cluster_expire_blacklist(Docker__Swarmkit__V1__Cluster *cluster, int64_t wall_ns)
{
    const int64_t grace_ns = CLUSTER_BLACKLIST_GRACE_S * (int64_t)NS_PER_S;
    size_t kept = 0;

    for (size_t i = 0; i < cluster->n_blacklisted_certificates; i++) {
        Docker__Swarmkit__V1__Cluster__BlacklistedCertificatesEntry *entry = cluster->blacklisted_certificates[i];
        int64_t expiry_ns = message_timestamp_ns(entry->value ? entry->value->expiry : NULL, INT64_MAX);
        if (expiry_ns >= wall_ns - grace_ns)
            cluster->blacklisted_certificates[kept++] = entry;
    }
    cluster->n_blacklisted_certificates = kept;
}
