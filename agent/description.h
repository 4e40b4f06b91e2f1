/* agent/description.h – how this node describes itself to a manager: a NodeDescription with only what is really here, so that the manager's
 * own filters keep away what would not run.
 *
 * Pure, but for host_facts_read(), which asks the operating system and lives in description_<os>.c. Source: swarmkit-wire §3.2. */
#ifndef SKEP_AGENT_DESCRIPTION_H
#define SKEP_AGENT_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct Docker__Swarmkit__V1__NodeDescription;

/* What `docker node ls` shows: a semantic version whose build part names us, as Debian's "20.10.24+dfsg1" names Debian. */
#define DESCRIPTION_ENGINE_VERSION SKEP_VERSION "+skep"

struct host_facts {
    char os[16];           /* "linux", "windows" */
    char architecture[32]; /* as uname -m has it: "x86_64", "aarch64" */
    char os_build[32];     /* Windows: "20348.2322"; "" elsewhere */
    int64_t nano_cpus;     /* logical processors × 10^9 */
    int64_t memory_bytes;
};

/* Ask the host. ERR_INTERNAL with what the system said. */
int host_facts_read(struct host_facts *facts, struct error *err);

struct hcs_host;

/* What the containers' host is where that is another than the one we run on: an emulated one is what it pretends to be. */
void host_facts_pretend(struct host_facts *facts, const struct hcs_host *host);

/* Everything borrowed for the call. */
struct description_inputs {
    const struct host_facts *host;
    const char *hostname;
    const char *const *labels; /* "k=v" of the operator; entries without '=' are left out, of equal keys the last one counts */
    size_t label_count;
    bool has_process, has_hyperv;  /* the isolations this node can give */
    const char *default_isolation; /* "process" or "hyperv" */
    /* From the identity (proto/identity/certificate.h); without a key there is no tls_info. The reconciler of a root rotation compares
     * them. */
    struct bytes issuer_subject_der, issuer_public_key_der, root_pem;
};

/* Build the description into @arena. Labels that begin with "skep." are ours; the operator's cannot replace them. */
struct Docker__Swarmkit__V1__NodeDescription *description_build(const struct description_inputs *inputs, struct arena *arena);

/* The same content? Both as description_build() made them. */
bool description_equal(const struct Docker__Swarmkit__V1__NodeDescription *a, const struct Docker__Swarmkit__V1__NodeDescription *b);

#endif
