/* runtime/linux/network_ports.c – see network_ports.h. */
#include "runtime/linux/network_ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/linux/command.h"

void network_rules_init(struct network_rules *rules, const char *bridge, const char *subnet, const char *nft)
{
    *rules = (struct network_rules){mem_string(bridge), mem_string(subnet), mem_string(nft ? nft : "nft"), mem_format("skep_%s", bridge)};
    for (char *c = rules->table; *c; c++) /* nft's names take less than the kernel's */
        if (strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.", *c) == NULL)
            *c = '_';
}

void network_rules_deinit(struct network_rules *rules)
{
    free(rules->bridge);
    free(rules->subnet);
    free(rules->nft);
    free(rules->table);
    *rules = (struct network_rules){0};
}

/* Added and removed before it is made: nft then never fails over a table that is or is not there. Ports lead in for packets to any address
 * of the host, from outside (prerouting) and from the host itself (output; its loopback needs the masquerading by source 127/8). Containers
 * reach each other's published ports through the host too (ct status dnat). */
char *network_rules_text(const struct network_rules *rules)
{
    const char *b = rules->bridge, *s = rules->subnet, *t = rules->table;
    struct buf text = {0};
    buf_append_format(&text, "add table ip %s\ndelete table ip %s\ntable ip %s {\n", t, t, t);
    buf_append_string(&text, "  map tcp_ports { type inet_service : ipv4_addr . inet_service; }\n"
                             "  map udp_ports { type inet_service : ipv4_addr . inet_service; }\n");
    const char *lead = "    fib daddr type local dnat ip to tcp dport map @tcp_ports\n"
                       "    fib daddr type local dnat ip to udp dport map @udp_ports\n  }\n";
    buf_append_format(&text, "  chain prerouting {\n    type nat hook prerouting priority -100; policy accept;\n%s", lead);
    buf_append_format(&text, "  chain output {\n    type nat hook output priority -100; policy accept;\n%s", lead);
    buf_append_format(&text,
                      "  chain postrouting {\n    type nat hook postrouting priority 100; policy accept;\n"
                      "    ip saddr %s oifname != \"%s\" masquerade\n"
                      "    ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n"
                      "    ip saddr %s oifname \"%s\" ct status dnat masquerade\n  }\n",
                      s, b, b, s, b);
    /* The bridge routes 127/8 for the host's own connections to published ports; nobody else may come in that way (CVE-2020-8558). */
    buf_append_format(&text,
                      "  chain guard {\n    type filter hook prerouting priority -300; policy accept;\n"
                      "    iifname \"%s\" ip daddr 127.0.0.0/8 drop\n  }\n",
                      b);
    buf_append_format(&text,
                      "  chain forward {\n    type filter hook forward priority 0; policy accept;\n"
                      "    iifname \"%s\" accept\n"
                      "    oifname \"%s\" ct state established,related accept\n"
                      "    oifname \"%s\" ct status dnat accept\n"
                      "    oifname \"%s\" drop\n  }\n}\n",
                      b, b, b, b);
    return buf_steal_string(&text);
}

static int run_nft(const struct network_rules *rules, const char *text, struct error *err)
{
    const char *const argv[] = {rules->nft, "-f", "-", NULL};
    if (command_must(argv, bytes_of_string(text), COMMAND_TIMEOUT_MS, err) < 0)
        return err->code == ERR_NOT_FOUND ? error_set(err, ERR_NOT_FOUND, "the program nft is missing: install the package nftables")
                                          : err->code;
    return 0;
}

/* Do @verb ("-C", "-I", "-D") with our @index-th rule of iptables' FORWARD chain. */
static int iptables_rule(const struct network_rules *rules, const char *verb, size_t index, struct error *err)
{
    const char *const out[] = {"iptables", "-w", verb, "FORWARD", "-i", rules->bridge, "-j", "ACCEPT", NULL};
    const char *const in[] = {"iptables",    "-w",     verb,        "FORWARD",   "-o",
                              rules->bridge, "-m",     "conntrack", "--ctstate", "RELATED,ESTABLISHED,DNAT",
                              "-j",          "ACCEPT", NULL};
    return command_must(index == 0 ? out : in, bytes_of(NULL, 0), COMMAND_TIMEOUT_MS, err);
}

/* iptables' FORWARD chain as text; false where there is no iptables. */
static bool list_iptables(struct buf *out)
{
    const char *const list[] = {"iptables", "-w", "-S", "FORWARD", NULL};
    return command_run(list, bytes_of(NULL, 0), COMMAND_TIMEOUT_MS, out, NULL) == 0 && out->size > 0;
}

void network_rules_pass(const struct network_rules *rules)
{
    cleanup_buf struct buf chain = {0};
    if (!list_iptables(&chain) || strstr((const char *)chain.data, "-P FORWARD DROP") == NULL)
        return;
    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        if (iptables_rule(rules, "-C", i, &err) < 0 && iptables_rule(rules, "-I", i, &err) < 0)
            log_warn("network", "iptables drops what is forwarded, and would not take a rule for %s: %s", rules->bridge, err.message);
    }
}

/* Also where the policy is another one by now: the rules may be from before. */
static void unpass_iptables(const struct network_rules *rules)
{
    cleanup_buf struct buf chain = {0};
    cleanup_free char *name = mem_format(" %s ", rules->bridge);
    if (!list_iptables(&chain) || strstr((const char *)chain.data, name) == NULL)
        return;
    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        if (iptables_rule(rules, "-C", i, &err) == 0 && iptables_rule(rules, "-D", i, &err) < 0)
            log_warn("network", "a rule for %s stays in iptables: %s", rules->bridge, err.message);
    }
}

int network_rules_ready(struct network_rules *rules, const char *elements, struct error *err)
{
    cleanup_free char *text = network_rules_text(rules);
    cleanup_free char *whole = mem_format("%s%s", text, elements ? elements : "");
    if (run_nft(rules, whole, err) < 0)
        return err->code;
    network_rules_pass(rules);
    return 0;
}

int network_rules_remove(struct network_rules *rules, struct error *err)
{
    unpass_iptables(rules);
    cleanup_free char *text = mem_format("add table ip %s\ndelete table ip %s\n", rules->table, rules->table);
    return run_nft(rules, text, err);
}

int network_port_hold(const struct network_port *wish, struct network_held_port *out, struct error *err)
{
    *out = (struct network_held_port){*wish, -1};
    out->socket = socket(AF_INET, (wish->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (out->socket < 0)
        return error_set_uv(err, -errno, "open a socket");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(wish->published_port)};
    socklen_t size = sizeof address;
    if (bind(out->socket, (struct sockaddr *)&address, size) < 0 || getsockname(out->socket, (struct sockaddr *)&address, &size) < 0) {
        int failed = errno;
        network_port_release(out);
        if (failed == EADDRINUSE)
            return error_set(err, ERR_EXISTS, "port %u/%s of the host is in use", wish->published_port, wish->is_udp ? "udp" : "tcp");
        return error_set_uv(err, -failed, "bind port %u/%s of the host", wish->published_port, wish->is_udp ? "udp" : "tcp");
    }
    out->port.published_port = ntohs(address.sin_port);
    return 0;
}

void network_port_release(struct network_held_port *held)
{
    if (held->socket >= 0)
        close(held->socket);
    held->socket = -1;
}

void network_ports_text(const struct network_rules *rules, uint32_t address, const struct network_held_port *ports, size_t count,
                        struct buf *out)
{
    struct in_addr in = {htonl(address)};
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &in, ip, sizeof ip);
    for (size_t i = 0; i < count; i++)
        buf_append_format(out, "add element ip %s %s_ports { %u : %s . %u }\n", rules->table, ports[i].port.is_udp ? "udp" : "tcp",
                          ports[i].port.published_port, ip, ports[i].port.target_port);
}

int network_ports_lead(const struct network_rules *rules, uint32_t address, const struct network_held_port *ports, size_t count,
                       struct error *err)
{
    cleanup_buf struct buf text = {0};
    network_ports_text(rules, address, ports, count, &text);
    return count == 0 ? 0 : run_nft(rules, (const char *)text.data, err);
}

int network_ports_unlead(const struct network_rules *rules, const struct network_held_port *ports, size_t count, struct error *err)
{
    if (count == 0)
        return 0;
    cleanup_buf struct buf text = {0};
    for (size_t i = 0; i < count; i++)
        buf_append_format(&text, "delete element ip %s %s_ports { %u }\n", rules->table, ports[i].port.is_udp ? "udp" : "tcp",
                          ports[i].port.published_port);
    return run_nft(rules, (const char *)text.data, err);
}
