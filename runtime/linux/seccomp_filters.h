/* runtime/linux/seccomp_filters.h – seccomp filters that crun has compiled, for the next container with the same profile.
 *
 * Compiling Docker's profile costs crun a third of its time to create a container, and nearly every container has the same one. crun leaves
 * what it compiled beside its own record; given back as an annotation, it is taken as it is. Filters are known by the digest of their
 * profile's text, live in memory only, and are safe to use from any thread. */
#ifndef SKEP_RUNTIME_LINUX_SECCOMP_FILTERS_H
#define SKEP_RUNTIME_LINUX_SECCOMP_FILTERS_H

#include "base/buf.h"

/* crun(1): raw data of seccomp(2)'s filter in base64, instead of the profile. Other versions ignore it and compile. */
#define SECCOMP_FILTER_ANNOTATION "run.oci.seccomp_bpf_data"

struct seccomp_filters;

struct seccomp_filters *seccomp_filters_new(void);
void seccomp_filters_free(struct seccomp_filters *filters); /* may be NULL */

/* The filter of @profile (its JSON as text) in base64, freed by the caller; NULL when it is not known. */
char *seccomp_filters_find(struct seccomp_filters *filters, const char *profile);

/* Keep @filter (copied). What is no filter by its size is not kept; of too many the oldest goes. */
void seccomp_filters_keep(struct seccomp_filters *filters, const char *profile, struct bytes filter);

#endif
