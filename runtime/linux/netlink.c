/* runtime/linux/netlink.c – see netlink.h. Requests are built in a buffer on the stack; attributes nest by remembering where they began. */
#include "runtime/linux/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    uint8_t body[1024];
};

static void begin(struct request *request, uint16_t type, uint16_t flags, const void *head, size_t size)
{
    memset(request, 0, sizeof *request);
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
    memcpy(NLMSG_DATA(&request->header), head, size);
}

static struct rtattr *add(struct request *request, unsigned short type, const void *data, size_t size)
{
    uint32_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    struct rtattr *attribute = (struct rtattr *)(void *)((char *)request + at);
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size > 0)
        memcpy(RTA_DATA(attribute), data, size);
    request->header.nlmsg_len = at + (uint32_t)RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void add_text(struct request *request, unsigned short type, const char *text)
{
    add(request, type, text, strlen(text) + 1);
}

static void close_nest(struct request *request, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)request + request->header.nlmsg_len - (char *)nest);
}

/* Send, and wait for the acknowledgement: 0 or a negative errno. */
static int talk(int netlink, struct request *request)
{
    static __thread uint32_t sequence;
    request->header.nlmsg_seq = ++sequence;
    if (send(netlink, request, request->header.nlmsg_len, MSG_NOSIGNAL) < 0)
        return -errno;
    for (;;) {
        union {
            struct nlmsghdr header;
            char bytes[4096];
        } answer;
        ssize_t size = recv(netlink, &answer, sizeof answer, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return -errno;
        if ((size_t)size < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.header.nlmsg_seq != request->header.nlmsg_seq ||
            answer.header.nlmsg_type != NLMSG_ERROR)
            continue;
        return ((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
    }
}

static int ask(int netlink, struct request *request, int tolerated, const char *what, const char *whom, struct error *err)
{
    int failed = talk(netlink, request);
    if (failed == 0 || failed == tolerated)
        return 0;
    return error_set_uv(err, failed, "%s %s", what, whom);
}

int netlink_open(struct error *err)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0)
        return error_set_uv(err, -errno, "open a netlink socket");
    struct timeval limit = {.tv_sec = 10};
    setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return netlink;
}

int netlink_link_index(int netlink, const char *name)
{
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    return ioctl(netlink, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

int netlink_add_bridge(int netlink, const char *name, struct error *err)
{
    struct request request;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    add_text(&request, IFLA_IFNAME, name);
    struct rtattr *info = add(&request, IFLA_LINKINFO, NULL, 0);
    add_text(&request, IFLA_INFO_KIND, "bridge");
    close_nest(&request, info);
    return ask(netlink, &request, -EEXIST, "make the bridge", name, err);
}

int netlink_add_veth(int netlink, const char *name, int master, int peer_ns, const unsigned char mac[6], struct error *err)
{
    struct request request;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer_link = {.ifi_family = AF_UNSPEC};
    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    add_text(&request, IFLA_IFNAME, name);
    uint32_t master_index = (uint32_t)master, ns = (uint32_t)peer_ns;
    add(&request, IFLA_MASTER, &master_index, sizeof master_index);
    struct rtattr *info = add(&request, IFLA_LINKINFO, NULL, 0);
    add_text(&request, IFLA_INFO_KIND, "veth");
    struct rtattr *data = add(&request, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = add(&request, VETH_INFO_PEER, &peer_link, sizeof peer_link);
    add_text(&request, IFLA_IFNAME, "eth0");
    add(&request, IFLA_ADDRESS, mac, 6);
    add(&request, IFLA_NET_NS_FD, &ns, sizeof ns);
    close_nest(&request, peer);
    close_nest(&request, data);
    close_nest(&request, info);
    return ask(netlink, &request, 0, "make the link", name, err);
}

int netlink_set_up(int netlink, const char *name, struct error *err)
{
    struct request request;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin(&request, RTM_NEWLINK, 0, &link, sizeof link);
    add_text(&request, IFLA_IFNAME, name);
    return ask(netlink, &request, 0, "bring up the link", name, err);
}

int netlink_add_address(int netlink, const char *name, struct in_addr address, int prefix_bits, struct error *err)
{
    struct request request;
    struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix_bits};
    int index = netlink_link_index(netlink, name);
    head.ifa_index = (unsigned)index;
    begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    add(&request, IFA_LOCAL, &address, sizeof address);
    add(&request, IFA_ADDRESS, &address, sizeof address);
    return ask(netlink, &request, -EEXIST, "set the address of", name, err);
}

int netlink_add_default_route(int netlink, struct in_addr gateway, struct error *err)
{
    struct request request;
    struct rtmsg head = {.rtm_family = AF_INET,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_BOOT,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_UNICAST};
    begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    add(&request, RTA_GATEWAY, &gateway, sizeof gateway);
    return ask(netlink, &request, -EEXIST, "set the default route", "of the container", err);
}

int netlink_delete_link(int netlink, const char *name, struct error *err)
{
    struct request request;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    begin(&request, RTM_DELLINK, 0, &link, sizeof link);
    add_text(&request, IFLA_IFNAME, name);
    return ask(netlink, &request, -ENODEV, "remove the link", name, err);
}
