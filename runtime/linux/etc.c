/* runtime/linux/etc.c – see etc.h. */
#include "runtime/linux/etc.h"

#include <string.h>

#include "base/text.h"

void etc_hosts(const struct document *document, const char *hostname, const char *ip, struct buf *out)
{
    buf_append_string(out, "127.0.0.1\tlocalhost\n"
                           "::1\tlocalhost ip6-localhost ip6-loopback\n"
                           "fe00::0\tip6-localnet\n"
                           "ff00::0\tip6-mcastprefix\n"
                           "ff02::1\tip6-allnodes\n"
                           "ff02::2\tip6-allrouters\n");
    for (size_t i = 0; i < document->network.hosts.count; i++) {
        const char *entry = document->network.hosts.items[i], *colon = strchr(entry, ':');
        buf_append_format(out, "%s\t%.*s\n", colon + 1, (int)(colon - entry), entry);
    }
    if (ip)
        buf_append_format(out, "%s\t%s\n", ip, hostname);
}

static bool is_loopback_server(const char *line)
{
    static const char word[] = "nameserver";

    if (!text_starts(line, word))
        return false;
    line += sizeof word - 1;
    line += strspn(line, " \t");
    return text_starts(line, "127.") || text_starts(line, "::1");
}

/* The lines of the host's file that stay when the document replaces some kinds of them. */
static size_t keep_lines(const struct document_network *n, struct bytes host_text, struct buf *out)
{
    size_t servers = 0;

    while (host_text.size > 0) {
        const uint8_t *end = memchr(host_text.data, '\n', host_text.size);
        size_t size = end ? (size_t)(end - host_text.data) : host_text.size;
        char line[512] = "";
        bool is_server;
        if (size < sizeof line)
            memcpy(line, host_text.data, size);
        host_text.data += size + (end ? 1 : 0);
        host_text.size -= size + (end ? 1 : 0);
        is_server = text_starts(line, "nameserver");
        if (line[0] == '\0' || line[0] == '#' || line[0] == ';' || (is_server && n->nameservers.count) ||
            ((text_starts(line, "search") || text_starts(line, "domain")) && n->searches.count) ||
            (text_starts(line, "options") && n->dns_options.count) || (n->mode != NETWORK_HOST && is_loopback_server(line)))
            continue;
        servers += is_server;
        buf_append_format(out, "%s\n", line);
    }
    return servers;
}

static void add_line(struct buf *out, const char *word, const struct document_strings *values)
{
    if (values->count == 0)
        return;
    buf_append_string(out, word);
    for (size_t i = 0; i < values->count; i++)
        buf_append_format(out, " %s", values->items[i]);
    buf_append_string(out, "\n");
}

void etc_resolv_conf(const struct document *document, struct bytes host_text, struct buf *out)
{
    const struct document_network *n = &document->network;
    size_t servers = keep_lines(n, host_text, out);

    for (size_t i = 0; i < n->nameservers.count; i++)
        buf_append_format(out, "nameserver %s\n", n->nameservers.items[i]);
    if (servers + n->nameservers.count == 0 && n->mode == NETWORK_BRIDGE)
        buf_append_string(out, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    add_line(out, "search", &n->searches);
    add_line(out, "options", &n->dns_options);
}
