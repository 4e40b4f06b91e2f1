/* manager/ca/config.c – see config.h. */
#include "manager/ca/config.h"

#include "base/clock.h"
#include "base/mem.h"
#include "google/protobuf/duration.pb-c.h"
#include "manager/ca/root.h"
#include "proto/message.h"

#define DURATION_MOST_S 9223372035 /* what 64 bits hold in nanoseconds, as Go's time.Duration */

static bool is_duration(const Google__Protobuf__Duration *duration)
{
    if (duration->nanos <= -(int32_t)NS_PER_S || duration->nanos >= (int32_t)NS_PER_S)
        return false;
    if ((duration->seconds < 0 && duration->nanos > 0) || (duration->seconds > 0 && duration->nanos < 0))
        return false;
    return duration->seconds <= DURATION_MOST_S && duration->seconds >= -DURATION_MOST_S;
}

int64_t ca_config_expiry_ns(const Docker__Swarmkit__V1__CAConfig *config)
{
    const int64_t default_ns = CA_EXPIRY_DEFAULT_S * (int64_t)NS_PER_S, min_ns = CA_EXPIRY_MIN_S * (int64_t)NS_PER_S;
    if (!config || !config->node_cert_expiry || !is_duration(config->node_cert_expiry))
        return default_ns;
    int64_t expiry_ns = message_duration_ns(config->node_cert_expiry, default_ns);
    return expiry_ns < min_ns ? default_ns : expiry_ns;
}

static int check_external(const Docker__Swarmkit__V1__ExternalCA *external, struct error *err)
{
    if (strlen(external->url) > CA_EXTERNAL_URL_SIZE_CHARS)
        return error_set(err, ERR_INVALID, "the address of an external CA is longer than %d characters", CA_EXTERNAL_URL_SIZE_CHARS);
    if (external->ca_cert.len > CERTIFICATE_PEM_SIZE_BYTES)
        return error_set(err, ERR_INVALID, "the certificate of the external CA %s is larger than %u bytes", external->url,
                         CERTIFICATE_PEM_SIZE_BYTES);
    return 0;
}

int ca_config_check(const Docker__Swarmkit__V1__CAConfig *config, struct error *err)
{
    int failed = 0;
    if (!config)
        return 0;
    if (config->node_cert_expiry && !is_duration(config->node_cert_expiry))
        return error_set(err, ERR_INVALID, "invalid argument: the certificate expiry time is no duration");
    if (config->node_cert_expiry && message_duration_ns(config->node_cert_expiry, 0) < CA_EXPIRY_MIN_S * (int64_t)NS_PER_S)
        return error_set(err, ERR_INVALID, "minimum certificate expiry time is: 1h0m0s");
    if (config->n_external_cas > CA_EXTERNAL_COUNT)
        return error_set(err, ERR_INVALID, "there are more than %d external CAs", CA_EXTERNAL_COUNT);
    for (size_t i = 0; failed == 0 && i < config->n_external_cas; i++)
        failed = check_external(config->external_cas[i], err);
    return failed;
}

Docker__Swarmkit__V1__CAConfig *ca_config_new(void)
{
    Docker__Swarmkit__V1__CAConfig *config = MESSAGE_NEW(Docker__Swarmkit__V1__CAConfig, docker__swarmkit__v1__caconfig);
    config->node_cert_expiry = MESSAGE_NEW(Google__Protobuf__Duration, google__protobuf__duration);
    message_set_duration(config->node_cert_expiry, CA_EXPIRY_DEFAULT_S * (int64_t)NS_PER_S);
    return config;
}

size_t ca_config_external_urls(const Docker__Swarmkit__V1__CAConfig *config, struct bytes wanted_pem, struct bytes default_pem,
                               const char **urls, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; config && i < config->n_external_cas && found < count; i++) {
        const Docker__Swarmkit__V1__ExternalCA *external = config->external_cas[i];
        struct bytes own_pem = external->ca_cert.len > 0 ? message_bytes(external->ca_cert) : default_pem;
        if (external->protocol == DOCKER__SWARMKIT__V1__EXTERNAL_CA__CAPROTOCOL__CFSSL && ca_root_equal(own_pem, wanted_pem))
            urls[found++] = external->url;
    }
    return found;
}
