/* runtime/linux/network.c – see network.h. What the kernel is asked in which namespace; the table of who has which address and port. */
#include "runtime/linux/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <uv.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/addresses.h"
#include "runtime/linux/netlink.h"
#include "runtime/linux/network_ports.h"

/* One container that has something of us. */
struct member {
    UT_hash_handle hh;
    char *id;
    uint32_t address; /* 0: none */
    struct network_held_port ports[NETWORK_PORTS_COUNT];
    size_t port_count;
};

struct network {
    uv_mutex_t mutex;
    char *bridge, *run_dir;
    struct network_rules rules;
    struct addresses addresses;
    struct member *members;
    bool is_bridge_ready;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define cleanup_fd __attribute__((cleanup(close_fd)))

static void unlock(uv_mutex_t **mutex)
{
    uv_mutex_unlock(*mutex);
}

/* Held to the end of the scope. */
#define lock_scope(network)                                                                                                                \
    __attribute__((cleanup(unlock), unused)) uv_mutex_t *locked_ = &(network)->mutex;                                                      \
    uv_mutex_lock(locked_)

/* --- names --- */

static char *netns_path(const struct network *network, const char *id)
{
    return mem_format("%s/netns/%s", network->run_dir, id);
}

/* At most 15 characters, the same for the same container of the same daemon, another one for all others. */
static void veth_name(const struct network *network, const char *id, char out[IFNAMSIZ])
{
    cleanup_free char *whole = mem_format("%s/%s", network->bridge, id);
    uint8_t digest[SHA256_SIZE_BYTES];
    sha256(bytes_of_string(whole), digest);
    out[0] = 's';
    out[1] = 'k';
    encode_hex(bytes_of(digest, 6), out + 2);
}

static struct in_addr to_in_addr(uint32_t address)
{
    return (struct in_addr){htonl(address)};
}

static void format_address(uint32_t address, char out[16])
{
    struct in_addr in = to_in_addr(address);
    inet_ntop(AF_INET, &in, out, 16);
}

/* --- namespaces --- */

/* Switches the calling thread into another namespace for a while. */
struct visit {
    int home;
};

static int visit_begin(struct visit *visit, int netns, struct error *err)
{
    visit->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (visit->home < 0)
        return error_set_uv(err, -errno, "open our network namespace");
    if ((netns >= 0 ? setns(netns, CLONE_NEWNET) : unshare(CLONE_NEWNET)) == 0)
        return 0;
    int failed = errno;
    close(visit->home);
    return error_set_uv(err, -failed, netns >= 0 ? "enter a network namespace" : "make a network namespace");
}

static void visit_end(struct visit *visit)
{
    if (setns(visit->home, CLONE_NEWNET) < 0) {
        log_error("network", "cannot return to our own network namespace: %s", strerror(errno));
        abort(); /* going on in a container's namespace would be worse; containers outlive us */
    }
    close(visit->home);
}

/* A new namespace, mounted at @path; its loopback is up. @netlink: a socket in it. */
static int make_netns(const char *path, int *netlink, struct error *err)
{
    int place = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (place < 0)
        return error_set_uv(err, -errno, "create %s", path);
    close(place);
    struct visit visit;
    if (visit_begin(&visit, -1, err) < 0) {
        unlink(path);
        return err->code;
    }
    int failed = 0;
    if (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
        failed = error_set_uv(err, -errno, "mount a network namespace at %s", path);
    if (failed == 0) {
        *netlink = netlink_open(err);
        failed = *netlink < 0 ? err->code : netlink_set_up(*netlink, "lo", err);
    }
    visit_end(&visit);
    return failed;
}

static int drop_netns(const char *path, struct error *err)
{
    if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
        return error_set_uv(err, -errno, "unmount %s", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set_uv(err, -errno, "remove %s", path);
    return 0;
}

/* --- the bridge --- */

static int write_sysctl(const char *path, const char *value, struct error *err)
{
    cleanup_fd int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, value, strlen(value)) < 0)
        return error_set_uv(err, -errno, "set %s to %s", path, value);
    return 0;
}

/* @elements: ports to lead in from the first moment on, as network_ports_text() writes them; NULL: none. */
static int ready_bridge(struct network *network, int netlink, const char *elements, struct error *err)
{
    if (network->is_bridge_ready && netlink_link_index(netlink, network->bridge) != 0)
        return 0;
    cleanup_free char *localnet = mem_format("/proc/sys/net/ipv4/conf/%s/route_localnet", network->bridge);
    if (netlink_add_bridge(netlink, network->bridge, err) < 0 ||
        netlink_add_address(netlink, network->bridge, to_in_addr(addresses_gateway(&network->addresses)), network->addresses.prefix_bits,
                            err) < 0 ||
        netlink_set_up(netlink, network->bridge, err) < 0 || write_sysctl("/proc/sys/net/ipv4/ip_forward", "1", err) < 0 ||
        write_sysctl(localnet, "1", err) < 0 || network_rules_ready(&network->rules, elements, err) < 0)
        return error_wrap(err, "bridge %s", network->bridge);
    network->is_bridge_ready = true;
    return 0;
}

/* --- members --- */

static struct member *find_member(struct network *network, const char *id)
{
    struct member *member;
    HASH_FIND_STR(network->members, id, member);
    return member;
}

static struct member *add_member(struct network *network, const char *id)
{
    struct member *member = mem_alloc(sizeof *member);
    member->id = mem_string(id);
    HASH_ADD_KEYPTR(hh, network->members, member->id, strlen(member->id), member);
    return member;
}

/* Its ports and address are free again. */
static int release_member(struct network *network, struct member *member, struct error *err)
{
    int failed = network_ports_unlead(&network->rules, member->ports, member->port_count, err);
    for (size_t i = 0; i < member->port_count; i++)
        network_port_release(&member->ports[i]);
    if (member->address != 0)
        addresses_release(&network->addresses, member->address);
    HASH_DEL(network->members, member);
    free(member->id);
    free(member);
    return failed;
}

static int hold_ports(struct member *member, const struct network_port *ports, size_t count, struct error *err)
{
    if (count > NETWORK_PORTS_COUNT)
        return error_set(err, ERR_LIMIT, "%zu published ports: more than %d", count, NETWORK_PORTS_COUNT);
    for (size_t i = 0; i < count; i++) {
        if (network_port_hold(&ports[i], &member->ports[i], err) < 0)
            return err->code;
        member->port_count++;
    }
    return 0;
}

static void describe(struct network *network, const struct member *member, struct network_endpoint *out)
{
    format_address(member->address, out->ip);
    format_address(addresses_gateway(&network->addresses), out->gateway);
    out->prefix_bits = network->addresses.prefix_bits;
    out->port_count = member->port_count;
    for (size_t i = 0; i < member->port_count; i++)
        out->ports[i] = member->ports[i].port;
}

/* As Docker does: a locally administered prefix, then the address, so that a container at an address always has the same. */
static void make_mac(uint32_t address, unsigned char mac[6], char text[18])
{
    const unsigned char made[6] = {
        0x02, 0x42, (unsigned char)(address >> 24), (unsigned char)(address >> 16), (unsigned char)(address >> 8), (unsigned char)address};
    memcpy(mac, made, 6);
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", made[0], made[1], made[2], made[3], made[4], made[5]);
}

static int link_up(struct network *network, const char *id, const struct member *member, const char *path, int host_netlink, int netlink,
                   struct network_endpoint *out, struct error *err)
{
    char name[IFNAMSIZ];
    unsigned char mac[6];
    veth_name(network, id, name);
    make_mac(member->address, mac, out->mac);
    cleanup_fd int netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0)
        return error_set_uv(err, -errno, "open %s", path);
    struct in_addr address = to_in_addr(member->address), gateway = to_in_addr(addresses_gateway(&network->addresses));
    if (netlink_delete_link(host_netlink, name, err) < 0 || /* of an earlier life that did not end well */
        netlink_add_veth(host_netlink, name, netlink_link_index(host_netlink, network->bridge), netns, mac, err) < 0 ||
        netlink_add_address(netlink, "eth0", address, network->addresses.prefix_bits, err) < 0 ||
        netlink_set_up(netlink, "eth0", err) < 0 || netlink_add_default_route(netlink, gateway, err) < 0)
        return err->code;
    return network_ports_lead(&network->rules, member->address, member->ports, member->port_count, err);
}

/* --- what others call --- */

int network_new(const struct network_options *options, struct network **out, struct error *err)
{
    struct addresses addresses;
    if (strlen(options->bridge) == 0 || strlen(options->bridge) >= IFNAMSIZ || strpbrk(options->bridge, "/ \t\n\"") != NULL)
        return error_set(err, ERR_INVALID, "not a bridge name: \"%s\" (at most %d characters, no '/', quotes or spaces)", options->bridge,
                         IFNAMSIZ - 1);
    if (addresses_init(&addresses, options->subnet, err) < 0)
        return err->code;
    struct network *network = mem_alloc(sizeof *network);
    network->addresses = addresses;
    network->bridge = mem_string(options->bridge);
    network->run_dir = mem_string(options->run_dir);
    cleanup_free char *dir = mem_format("%s/netns", options->run_dir);
    if (uv_mutex_init(&network->mutex) < 0 || file_make_dirs(dir, 0700, err) < 0) {
        addresses_deinit(&network->addresses);
        free(network->bridge);
        free(network->run_dir);
        free(network);
        return err->code;
    }
    network_rules_init(&network->rules, network->bridge, options->subnet, options->nft);
    *out = network;
    return 0;
}

void network_free(struct network *network)
{
    if (network == NULL)
        return;
    struct member *member, *next;
    HASH_ITER (hh, network->members, member, next) {
        for (size_t i = 0; i < member->port_count; i++)
            network_port_release(&member->ports[i]);
        HASH_DEL(network->members, member);
        free(member->id);
        free(member);
    }
    network_rules_deinit(&network->rules);
    addresses_deinit(&network->addresses);
    uv_mutex_destroy(&network->mutex);
    free(network->bridge);
    free(network->run_dir);
    free(network);
}

void network_endpoint_deinit(struct network_endpoint *endpoint)
{
    free(endpoint->netns_path);
    *endpoint = (struct network_endpoint){0};
}

static int detach(struct network *network, const char *id, struct error *err)
{
    cleanup_free char *path = netns_path(network, id);
    struct member *member = find_member(network, id);
    int failed = member ? release_member(network, member, err) : 0;
    char name[IFNAMSIZ];
    veth_name(network, id, name);
    cleanup_fd int netlink = netlink_open(err);
    if (netlink < 0)
        return netlink;
    if (netlink_delete_link(netlink, name, err) < 0)
        failed = err->code;
    if (drop_netns(path, err) < 0)
        failed = err->code;
    return failed;
}

static int attach(struct network *network, const char *id, const struct network_port *ports, size_t port_count,
                  struct network_endpoint *out, struct error *err)
{
    struct member *member = add_member(network, id);
    cleanup_fd int host_netlink = netlink_open(err), netlink = -1;
    if (host_netlink < 0 || ready_bridge(network, host_netlink, NULL, err) < 0 ||
        addresses_take(&network->addresses, &member->address, err) < 0 || hold_ports(member, ports, port_count, err) < 0 ||
        make_netns(out->netns_path, &netlink, err) < 0)
        return err->code;
    if (link_up(network, id, member, out->netns_path, host_netlink, netlink, out, err) < 0)
        return err->code;
    describe(network, member, out);
    return 0;
}

int network_attach(struct network *network, const char *id, const struct network_port *ports, size_t port_count,
                   struct network_endpoint *out, struct error *err)
{
    lock_scope(network);
    *out = (struct network_endpoint){.netns_path = netns_path(network, id)};
    struct error ignored = {0};
    detach(network, id, &ignored); /* of an earlier life */
    if (attach(network, id, ports, port_count, out, err) == 0)
        return 0;
    detach(network, id, &ignored);
    network_endpoint_deinit(out);
    return error_wrap(err, "network");
}

int network_attach_none(struct network *network, const char *id, struct network_endpoint *out, struct error *err)
{
    lock_scope(network);
    *out = (struct network_endpoint){.netns_path = netns_path(network, id)};
    struct error ignored = {0};
    detach(network, id, &ignored);
    cleanup_fd int netlink = -1;
    if (make_netns(out->netns_path, &netlink, err) == 0)
        return 0;
    detach(network, id, &ignored);
    network_endpoint_deinit(out);
    return error_wrap(err, "network");
}

int network_adopt(struct network *network, const char *id, const struct network_endpoint *known, struct error *err)
{
    lock_scope(network);
    cleanup_free char *path = netns_path(network, id);
    struct in_addr address;
    if (!file_exists(path))
        return error_set(err, ERR_PRECONDITION, "network: the namespace of %s is gone", id);
    if (known->ip[0] == '\0')
        return 0;
    if (inet_pton(AF_INET, known->ip, &address) != 1 || find_member(network, id) != NULL ||
        !addresses_claim(&network->addresses, ntohl(address.s_addr)))
        return error_set(err, ERR_PRECONDITION, "network: the address %s of %s cannot be its own", known->ip, id);
    struct member *member = add_member(network, id);
    member->address = ntohl(address.s_addr);
    return hold_ports(member, known->ports, known->port_count, err) < 0 ? error_wrap(err, "network") : 0;
}

int network_adopt_end(struct network *network, struct error *err)
{
    lock_scope(network);
    if (network->members == NULL)
        return 0;
    struct buf elements = {0};
    struct member *member, *next;
    HASH_ITER (hh, network->members, member, next)
        network_ports_text(&network->rules, member->address, member->ports, member->port_count, &elements);
    cleanup_fd int netlink = netlink_open(err);
    int failed = netlink < 0 ? netlink : ready_bridge(network, netlink, (const char *)elements.data, err);
    buf_deinit(&elements);
    return failed < 0 ? error_wrap(err, "network") : 0;
}

int network_detach(struct network *network, const char *id, struct error *err)
{
    lock_scope(network);
    return detach(network, id, err) < 0 ? error_wrap(err, "network") : 0;
}

static int read_counter(const char *interface, const char *name, uint64_t *out, struct error *err)
{
    cleanup_free char *path = mem_format("/sys/class/net/%s/statistics/%s", interface, name);
    cleanup_buf struct buf text = {0};
    if (file_read(path, 64, &text, err) < 0)
        return err->code;
    *out = strtoull((const char *)text.data, NULL, 10);
    return 0;
}

/* Counted at our end of the pair: what the container sends is what we receive. */
int network_read_counters(struct network *network, const char *id, struct network_counters *out, struct error *err)
{
    char name[IFNAMSIZ];
    veth_name(network, id, name);
    const struct {
        const char *file;
        uint64_t *place;
    } counters[] = {{"tx_bytes", &out->rx_bytes},     {"tx_packets", &out->rx_packets}, {"tx_errors", &out->rx_errors},
                    {"tx_dropped", &out->rx_dropped}, {"rx_bytes", &out->tx_bytes},     {"rx_packets", &out->tx_packets},
                    {"rx_errors", &out->tx_errors},   {"rx_dropped", &out->tx_dropped}};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (read_counter(name, counters[i].file, counters[i].place, err) < 0)
            return error_wrap(err, "network");
    return 0;
}

void network_refresh(struct network *network)
{
    lock_scope(network);
    if (network->is_bridge_ready)
        network_rules_pass(&network->rules);
}

bool network_is_there(struct network *network)
{
    return if_nametoindex(network->bridge) != 0;
}

int network_remove(struct network *network, struct error *err)
{
    lock_scope(network);
    if (network->members != NULL)
        return error_set(err, ERR_PRECONDITION, "network: bridge %s is in use", network->bridge);
    cleanup_fd int netlink = netlink_open(err);
    network->is_bridge_ready = false;
    if (netlink < 0 || network_rules_remove(&network->rules, err) < 0 || netlink_delete_link(netlink, network->bridge, err) < 0)
        return error_wrap(err, "network");
    return 0;
}
