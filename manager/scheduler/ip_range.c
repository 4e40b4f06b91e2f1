/* manager/scheduler/ip_range.c – see ip_range.h. */
#include "manager/scheduler/ip_range.h"

#include <string.h>
#include <uv.h>

#include "base/text.h"

enum { BITS_IPV4 = 32, BITS_IPV6 = 128, TEXT_SIZE = 64 };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const struct ip_range *range)
{
    return memcmp(range->bytes, mapped, sizeof mapped) == 0;
}

/* @is_short: written as IPv4, whose prefix counts 32 bits. */
static bool parse_address(const char *text, uint8_t bytes[16], bool *is_short)
{
    *is_short = strchr(text, ':') == NULL;
    if (!*is_short)
        return strchr(text, '%') == NULL && uv_inet_pton(AF_INET6, text, bytes) == 0;
    memcpy(bytes, mapped, sizeof mapped);
    return uv_inet_pton(AF_INET, text, bytes + sizeof mapped) == 0;
}

static void clear_host_bits(struct ip_range *range)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = range->prefix_bits > i * 8 ? range->prefix_bits - i * 8 : 0;
        if (kept < 8)
            range->bytes[i] = (uint8_t)(range->bytes[i] & (0xff00u >> kept));
    }
}

struct ip_range ip_range_parse(const char *text)
{
    struct ip_range range = {IP_NOTHING, {0}, BITS_IPV6};
    char address[TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    bool is_short;

    if (length >= sizeof address)
        return range;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!parse_address(address, range.bytes, &is_short))
        return range;
    if (!slash) {
        range.kind = IP_ADDRESS;
        return range;
    }
    int64_t bits;
    if (slash[1] < '0' || slash[1] > '9' || text_parse_i64(slash + 1, 0, is_short ? BITS_IPV4 : BITS_IPV6, &bits, NULL) < 0)
        return range;
    range.kind = IP_RANGE;
    range.prefix_bits = (unsigned)bits + (is_short ? BITS_IPV6 - BITS_IPV4 : 0);
    clear_host_bits(&range);
    return range;
}

bool ip_range_contains(const struct ip_range *range, const struct ip_range *address)
{
    if (range->kind == IP_NOTHING || address->kind != IP_ADDRESS || is_ipv4(range) != is_ipv4(address))
        return false;
    struct ip_range within = *address;
    within.prefix_bits = range->prefix_bits;
    clear_host_bits(&within);
    return memcmp(within.bytes, range->bytes, sizeof within.bytes) == 0;
}
