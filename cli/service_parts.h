/* cli/service_parts.h – the small languages inside of a service's flags: ports, mounts, references to secrets and configs, sizes. Pure. */
#ifndef SKEP_CLI_SERVICE_PARTS_H
#define SKEP_CLI_SERVICE_PARTS_H

#include "base/json.h"

/* All fail with ERR_INVALID, naming the text and what is wanted; what is made is the caller's. */

/* "8080:80", "8080:80/udp", "80", or "published=8080,target=80,protocol=tcp,mode=host". */
int part_port(const char *text, cJSON **out, struct error *err);
/* Do two ports publish the same target? What `--publish-rm 80` asks. */
int part_target_port(const char *text, int64_t *port, struct error *err);

/* "type=bind,source=/a,target=/b,readonly"; the options of docker's kinds. */
int part_mount(const char *text, cJSON **out, struct error *err);

/* "name" or "source=name,target=file,uid=0,gid=0,mode=0444": of a secret or a config. Its id, the member "SecretID" or "ConfigID", is the
 * caller's to add. */
int part_reference(const char *text, bool is_secret, cJSON **out, struct error *err);

/* "name" or "name=net,alias=a". */
int part_network(const char *text, cJSON **out, struct error *err);

int part_cpus(const char *text, int64_t *nano, struct error *err);   /* "0.5" */
int part_bytes(const char *text, int64_t *bytes, struct error *err); /* "64m": b, k, m, g, t, with or without b or ib, in powers of 1024 */

#endif
