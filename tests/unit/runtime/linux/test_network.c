/* tests/unit/runtime/linux/test_network.c – against the real kernel, in a network namespace that stands for the host. Needs root; skips
 * itself, by name, where it may not make one. */
#include "runtime/linux/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/linux/command.h"
#include "tests/unit/test.h"

static char dir[] = "/tmp/skep-test-network-XXXXXX";
static struct network *network;
static bool may_run;

static const struct network_options options = {.bridge = "skept0", .subnet = "10.99.0.0/24", .run_dir = dir};

static int make_host(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    /* mounts of ours go with this process; /sys shows the new namespace's interfaces once it is mounted in it */
    may_run = geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("sysfs", "/sys", "sysfs", 0, NULL) == 0;
    if (!may_run) {
        print_message("test_network: skipped: needs root and network namespaces\n");
        return 0;
    }
    const char *const up[] = {"ip", "link", "set", "lo", "up", NULL};
    assert_ok(command_must(up, bytes_of(NULL, 0), 5000, err));
    assert_ok(network_new(&options, &network, err));
    return 0;
}

static int drop_host(void **state)
{
    (void)state;
    network_free(network);
    return file_remove_tree(dir, NULL);
}

#define needs_root()                                                                                                                       \
    if (!may_run)                                                                                                                          \
    skip()

/* Run a shell line inside a container's namespace. */
static int inside(const struct network_endpoint *endpoint, const char *line)
{
    cleanup_free char *option = mem_format("--net=%s", endpoint->netns_path);
    const char *const argv[] = {"nsenter", option, "sh", "-c", line, NULL};
    cleanup_buf struct buf output = {0};
    return command_run(argv, bytes_of(NULL, 0), 10000, &output, NULL);
}

/* A server in the container that says hello once. Returns its pid. */
static pid_t serve(const struct network_endpoint *endpoint, uint16_t port)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int netns = open(endpoint->netns_path, O_RDONLY);
        if (setns(netns, CLONE_NEWNET) < 0)
            _exit(1);
        int server = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
        int reuse = 1; /* the one before it lingers */
        setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
        if (bind(server, (struct sockaddr *)&address, sizeof address) < 0 || listen(server, 1) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        int client = accept(server, NULL, NULL);
        _exit(write(client, "hello", 5) == 5 ? 0 : 1);
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static bool hears_hello(const char *ip, uint16_t port)
{
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = 2};
    char got[8] = "";
    inet_pton(AF_INET, ip, &address.sin_addr);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    bool good = connect(client, (struct sockaddr *)&address, sizeof address) == 0 && recv(client, got, 5, MSG_WAITALL) == 5;
    close(client);
    return good && strcmp(got, "hello") == 0;
}

static void a_container_gets_an_address_and_reaches_the_bridge(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint endpoint;
    assert_ok(network_attach(network, "c1", NULL, 0, &endpoint, err));
    assert_string_equal(endpoint.ip, "10.99.0.2");
    assert_string_equal(endpoint.gateway, "10.99.0.1");
    assert_string_equal(endpoint.mac, "02:42:0a:63:00:02");
    assert_int_equal(endpoint.prefix_bits, 24);
    assert_int_equal(inside(&endpoint, "ip -4 addr show eth0 | grep -q 10.99.0.2/24 && ip route | grep -q 'default via 10.99.0.1' && "
                                       "ip link show lo | grep -q UP"),
                     0);
    struct network_counters counters = {0};
    assert_ok(network_read_counters(network, "c1", &counters, err));
    assert_ok(network_detach(network, "c1", err));
    assert_false(file_exists(endpoint.netns_path));
    assert_fails(network_read_counters(network, "c1", &counters, err), ERR_NOT_FOUND, "network");
    assert_ok(network_detach(network, "c1", err));
    network_endpoint_deinit(&endpoint);
}

static void a_published_port_leads_in_from_the_host_and_its_loopback(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint endpoint;
    struct network_port ports[] = {{false, 80, 0}, {true, 53, 5353}};
    assert_ok(network_attach(network, "c2", ports, 2, &endpoint, err));
    assert_int_equal(endpoint.port_count, 2);
    assert_int_not_equal(endpoint.ports[0].published_port, 0);
    assert_int_equal(endpoint.ports[1].published_port, 5353);
    const char *ways[] = {"127.0.0.1", "10.99.0.1"};
    for (size_t i = 0; i < 2; i++) {
        pid_t child = serve(&endpoint, 80);
        assert_true(hears_hello(ways[i], endpoint.ports[0].published_port));
        int status;
        waitpid(child, &status, 0);
    }
    uint16_t published = endpoint.ports[0].published_port;
    assert_ok(network_detach(network, "c2", err));
    assert_false(hears_hello("127.0.0.1", published));
    network_endpoint_deinit(&endpoint);
}

static void a_port_that_is_taken_is_named_and_nothing_stays_behind(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint first, second;
    struct network_port port = {false, 80, 8080};
    assert_ok(network_attach(network, "c3", &port, 1, &first, err));
    assert_fails(network_attach(network, "c4", &port, 1, &second, err), ERR_EXISTS, "port 8080/tcp of the host is in use");
    cleanup_free char *path = mem_format("%s/netns/c4", dir);
    assert_false(file_exists(path));
    assert_ok(network_detach(network, "c3", err));
    assert_ok(network_attach(network, "c4", &port, 1, &second, err));
    assert_ok(network_detach(network, "c4", err));
    network_endpoint_deinit(&first);
    network_endpoint_deinit(&second);
}

static void after_a_restart_ports_lead_in_and_addresses_stay_taken(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint endpoint, other;
    struct network_port port = {false, 80, 8081};
    assert_ok(network_attach(network, "c5", &port, 1, &endpoint, err));
    network_free(network); /* as if killed: its sockets are closed, the kernel keeps the rest */
    assert_ok(network_new(&options, &network, err));
    assert_ok(network_adopt(network, "c5", &endpoint, err));
    assert_fails(network_adopt(network, "c5", &endpoint, err), ERR_PRECONDITION, "cannot be its own");
    assert_ok(network_adopt_end(network, err));
    pid_t child = serve(&endpoint, 80);
    assert_true(hears_hello("127.0.0.1", 8081));
    int status;
    waitpid(child, &status, 0);
    assert_ok(network_attach(network, "c6", NULL, 0, &other, err));
    assert_string_not_equal(other.ip, endpoint.ip);
    assert_fails(network_remove(network, err), ERR_PRECONDITION, "in use");
    assert_ok(network_detach(network, "c6", err));
    assert_ok(network_detach(network, "c5", err));
    network_endpoint_deinit(&endpoint);
    network_endpoint_deinit(&other);
}

/* As root in a container with all capabilities may arrange it, or a neighbour on the bridge: 127/8 leads to the bridge. */
static void send_to_hosts_loopback(const struct network_endpoint *endpoint, uint16_t port)
{
    assert_int_equal(inside(endpoint, "ip addr flush dev lo; sysctl -qw net.ipv4.conf.all.route_localnet=1 && "
                                      "ip route add 127.0.0.0/8 via 10.99.0.1 dev eth0"),
                     0);
    pid_t child = fork();
    if (child == 0) {
        int netns = open(endpoint->netns_path, O_RDONLY);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (setns(netns, CLONE_NEWNET) < 0)
            _exit(1);
        int sender = socket(AF_INET, SOCK_DGRAM, 0);
        for (int i = 0; i < 3; i++)
            if (sendto(sender, "x", 1, 0, (struct sockaddr *)&address, sizeof address) != 1)
                _exit(1);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void the_hosts_loopback_is_out_of_a_containers_reach(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint endpoint;
    assert_ok(network_attach(network, "c9", NULL, 0, &endpoint, err));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int server = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&address, &size), 0);
    struct timeval limit = {.tv_usec = 300000};
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    send_to_hosts_loopback(&endpoint, ntohs(address.sin_port));
    char byte;
    assert_int_equal(recv(server, &byte, 1, 0), -1);
    close(server);
    assert_ok(network_detach(network, "c9", err));
    network_endpoint_deinit(&endpoint);
}

static int shell(const char *line)
{
    const char *const argv[] = {"sh", "-c", line, NULL};
    return command_run(argv, bytes_of(NULL, 0), 5000, NULL, NULL);
}

static void a_firewall_that_comes_later_lets_containers_through(void **state)
{
    (void)state;
    needs_root();
    if (shell("iptables -S FORWARD") != 0)
        skip();
    struct network_endpoint endpoint;
    assert_ok(network_attach(network, "c10", NULL, 0, &endpoint, err));
    assert_int_not_equal(shell("iptables -S FORWARD | grep skept0"), 0);
    assert_int_equal(shell("iptables -P FORWARD DROP"), 0);
    network_refresh(network);
    network_refresh(network);
    assert_int_equal(shell("test $(iptables -S FORWARD | grep -c skept0) = 2"), 0);
    assert_int_equal(shell("iptables -F FORWARD"), 0);
    network_refresh(network);
    assert_int_equal(shell("test $(iptables -S FORWARD | grep -c skept0) = 2"), 0);
    assert_ok(network_detach(network, "c10", err));
    assert_ok(network_remove(network, err));
    assert_int_not_equal(shell("iptables -S FORWARD | grep skept0"), 0);
    assert_int_equal(shell("iptables -P FORWARD ACCEPT"), 0);
    network_endpoint_deinit(&endpoint);
}

static void none_has_a_loopback_and_nothing_else(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint endpoint;
    assert_ok(network_attach_none(network, "c7", &endpoint, err));
    assert_int_equal(inside(&endpoint, "test $(ls /proc/net/dev_mcast | wc -l) = 1 && test $(ip -o link | wc -l) = 1"), 0);
    assert_ok(network_detach(network, "c7", err));
    network_endpoint_deinit(&endpoint);
}

static void everything_can_be_taken_away(void **state)
{
    (void)state;
    needs_root();
    struct network_endpoint endpoint;
    assert_ok(network_attach(network, "c8", NULL, 0, &endpoint, err));
    assert_ok(network_detach(network, "c8", err));
    assert_ok(network_remove(network, err));
    const char *const argv[] = {"sh", "-c", "! ip link show skept0 && ! nft list tables | grep skep", NULL};
    assert_int_equal(command_run(argv, bytes_of(NULL, 0), 5000, NULL, NULL), 0);
    network_endpoint_deinit(&endpoint);
}

static void options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct network *none = NULL;
    struct network_options bad = options;
    bad.bridge = "a-name-that-is-too-long";
    assert_fails(network_new(&bad, &none, err), ERR_INVALID, "not a bridge name");
    bad = options;
    bad.subnet = "10.0.0.0/8";
    assert_fails(network_new(&bad, &none, err), ERR_INVALID, "not a subnet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_gets_an_address_and_reaches_the_bridge),
        cmocka_unit_test(a_published_port_leads_in_from_the_host_and_its_loopback),
        cmocka_unit_test(a_port_that_is_taken_is_named_and_nothing_stays_behind),
        cmocka_unit_test(after_a_restart_ports_lead_in_and_addresses_stay_taken),
        cmocka_unit_test(the_hosts_loopback_is_out_of_a_containers_reach),
        cmocka_unit_test(a_firewall_that_comes_later_lets_containers_through),
        cmocka_unit_test(none_has_a_loopback_and_nothing_else),
        cmocka_unit_test(everything_can_be_taken_away),
        cmocka_unit_test(options_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, make_host, drop_host);
}
