/* runtime/linux/etc.h – the text of the three files of /etc that every system gets: hosts, hostname, resolv.conf. Pure. */
#ifndef SKEP_RUNTIME_LINUX_ETC_H
#define SKEP_RUNTIME_LINUX_ETC_H

#include "base/buf.h"
#include "runtime/document.h"

void etc_hosts(const struct document *document, const char *hostname, const char *ip, struct buf *out); /* ip NULL: no address of its own */

/* @host_text: the host's own resolv.conf. On a network of its own a system cannot reach the host's loopback: such name servers are left
 * out, and Docker's two public ones take their place when none is left. */
void etc_resolv_conf(const struct document *document, struct bytes host_text, struct buf *out);

#endif
