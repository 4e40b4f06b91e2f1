/* daemon/addresses.c – see addresses.h. */
#include "daemon/addresses.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

static bool is_ip(const char *host)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    return uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
}

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static char *join_port(const char *host, uint16_t port)
{
    return mem_format(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

/* --- the host's interfaces --- */

/* IPv4 before IPv6, as other nodes most likely have it; link-local ones serve nobody. */
static bool address_text(const uv_interface_address_t *one, char out[64])
{
    if (one->address.address4.sin_family == AF_INET)
        uv_ip4_name(&one->address.address4, out, 64);
    else
        uv_ip6_name(&one->address.address6, out, 64);
    return strncmp(out, "fe80:", 5) != 0 && strncmp(out, "169.254.", 8) != 0;
}

static int of_interface(const char *name, char **out, struct error *err)
{
    uv_interface_address_t *list;
    char text[64];
    int count = 0, found = -1;

    if (uv_interface_addresses(&list, &count) < 0)
        return error_set(err, ERR_IO, "the addresses of this host cannot be listed");
    for (int i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0 && address_text(&list[i], text) &&
            (found < 0 || (list[found].address.address4.sin_family != AF_INET && list[i].address.address4.sin_family == AF_INET)))
            found = i;
    if (found >= 0) {
        address_text(&list[found], text);
        *out = mem_string(text);
    }
    uv_free_interface_addresses(list, count);
    return found >= 0 ? 0 : error_set(err, ERR_NOT_FOUND, "%s is neither an IP address nor an interface of this host that has one", name);
}

static int only_address(char **out, struct error *err)
{
    uv_interface_address_t *list;
    cleanup_buf struct buf names = {0};
    char text[64], first[64] = "";
    int count = 0, found = 0;

    if (uv_interface_addresses(&list, &count) < 0)
        return error_set(err, ERR_IO, "the addresses of this host cannot be listed");
    for (int family = 0; family < 2 && found == 0; family++)
        for (int i = 0; i < count; i++) {
            bool is_v4 = list[i].address.address4.sin_family == AF_INET;
            if (list[i].is_internal || is_v4 != (family == 0) || !address_text(&list[i], text))
                continue;
            if (found++ == 0)
                memcpy(first, text, sizeof first);
            buf_append_format(&names, "%s%s on interface %s", names.size ? ", " : "", text, list[i].name);
        }
    uv_free_interface_addresses(list, count);
    if (found == 0)
        return error_set(err, ERR_PRECONDITION, "could not find the system's IP address");
    if (found > 1)
        return error_set(err, ERR_PRECONDITION,
                         "could not choose an IP address to advertise since this system has multiple addresses (%.*s)", (int)names.size,
                         (const char *)names.data);
    *out = mem_string(first);
    return 0;
}

/* --- what a person gives --- */

static int resolve(const char *given, uint16_t fallback_port, const char *what, char **host, uint16_t *port, struct error *err)
{
    char *name = NULL;

    if (text_parse_address(given, fallback_port, &name, port, err) < 0)
        return error_wrap(err, "%s", what);
    if (is_ip(name)) {
        *host = name;
        return 0;
    }
    int failed = of_interface(name, host, err);
    free(name);
    return failed < 0 ? error_wrap(err, "%s", what) : 0;
}

int addresses_listen(const char *given, char **out, struct error *err)
{
    cleanup_free char *host = NULL;
    uint16_t port;
    int failed = resolve(text_empty(given) ? "0.0.0.0" : given, ADDRESSES_SWARM_PORT, "the listen address", &host, &port, err);

    if (failed == 0)
        *out = join_port(host, port);
    return failed;
}

int addresses_advertise(const char *given, const char *listen, char **out, struct error *err)
{
    cleanup_free char *host = NULL, *listen_host = NULL;
    uint16_t port, listen_port;
    int failed = text_parse_address(listen, ADDRESSES_SWARM_PORT, &listen_host, &listen_port, err);

    if (failed < 0)
        return failed;
    port = listen_port;
    if (!text_empty(given))
        failed = resolve(given, listen_port, "the advertised address", &host, &port, err);
    else if (!is_any(listen_host))
        host = mem_string(listen_host);
    else
        failed = only_address(&host, err);
    if (failed == 0 && is_any(host))
        failed = error_set(err, ERR_INVALID, "the advertised address: %s is where to listen, not where others reach this host", host);
    if (failed == 0)
        *out = join_port(host, port);
    return failed;
}
