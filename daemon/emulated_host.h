/* daemon/emulated_host.h – what kind of host `skepd --runtime emulated` pretends to be: --emulated-host, read and checked. Pure. */
#ifndef SKEP_DAEMON_EMULATED_HOST_H
#define SKEP_DAEMON_EMULATED_HOST_H

#include <stdbool.h>

#include "base/error.h"

struct emulated_host {
    const char *os, *architecture; /* static: "linux" or "windows", "amd64" or "arm64" */
    char os_version[32];           /* "10.0.20348.2113"; "" of Linux */
    bool is_client;                /* a Windows of people, not of servers */
    bool offers_process, offers_hyperv;
};

/* "os=windows,build=20348.2113,product=client,isolation=process+hyperv,arch=amd64", in any order. build is wanted of Windows and of nothing
 * else; without product it is a server, without isolation it offers its kind's default: process, and of clients hyperv. ERR_INVALID naming
 * the part that cannot be. */
int emulated_host_parse(const char *text, struct emulated_host *out, struct error *err);

/* What such a host gives to tasks that ask for nothing: Windows' clients hyperv. "process" or "hyperv". */
const char *emulated_host_default_isolation(const struct emulated_host *host);

#endif
