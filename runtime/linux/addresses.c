/* runtime/linux/addresses.c – see addresses.h. */
#include "runtime/linux/addresses.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

static uint32_t size_of(const struct addresses *addresses)
{
    return UINT32_C(1) << (32 - addresses->prefix_bits);
}

int addresses_init(struct addresses *addresses, const char *subnet, struct error *err)
{
    const char *slash = strchr(subnet, '/');
    cleanup_free char *address = slash ? mem_string_n(subnet, (size_t)(slash - subnet)) : NULL;
    struct in_addr parsed;
    int64_t bits = 0;
    if (slash == NULL || inet_pton(AF_INET, address, &parsed) != 1 || text_parse_i64(slash + 1, 16, 30, &bits, NULL) < 0)
        return error_set(err, ERR_INVALID, "not a subnet: %s (write 172.30.0.0/16; the prefix from 16 to 30)", subnet);
    *addresses = (struct addresses){.prefix_bits = (int)bits, .next = 2};
    addresses->network = ntohl(parsed.s_addr) & ~(size_of(addresses) - 1);
    addresses->taken = mem_alloc(size_of(addresses) / 8 + 1);
    return 0;
}

void addresses_deinit(struct addresses *addresses)
{
    free(addresses->taken);
    *addresses = (struct addresses){0};
}

uint32_t addresses_gateway(const struct addresses *addresses)
{
    return addresses->network + 1;
}

static bool is_taken(const struct addresses *addresses, uint32_t offset)
{
    return (addresses->taken[offset / 8] & 1u << offset % 8) != 0;
}

static bool is_usable(const struct addresses *addresses, uint32_t offset)
{
    return offset >= 2 && offset < size_of(addresses) - 1;
}

int addresses_take(struct addresses *addresses, uint32_t *out, struct error *err)
{
    uint32_t size = size_of(addresses), offset = addresses->next;
    for (uint32_t tried = 0; tried < size; tried++, offset = (offset + 1) % size) {
        if (!is_usable(addresses, offset) || is_taken(addresses, offset))
            continue;
        addresses->taken[offset / 8] |= (uint8_t)(1u << offset % 8);
        addresses->next = (offset + 1) % size;
        *out = addresses->network + offset;
        return 0;
    }
    return error_set(err, ERR_LIMIT, "every address of the bridge's subnet is taken: give skepd a larger --bridge-subnet than /%d",
                     addresses->prefix_bits);
}

bool addresses_claim(struct addresses *addresses, uint32_t address)
{
    uint32_t offset = address - addresses->network;
    if (address < addresses->network || !is_usable(addresses, offset) || is_taken(addresses, offset))
        return false;
    addresses->taken[offset / 8] |= (uint8_t)(1u << offset % 8);
    if (offset >= addresses->next)
        addresses->next = (offset + 1) % size_of(addresses);
    return true;
}

void addresses_release(struct addresses *addresses, uint32_t address)
{
    uint32_t offset = address - addresses->network;
    if (address >= addresses->network && is_usable(addresses, offset))
        addresses->taken[offset / 8] &= (uint8_t) ~(1u << offset % 8);
}
