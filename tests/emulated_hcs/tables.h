/* tests/emulated_hcs/tables.h – the one set of networks, namespaces and endpoints behind HCN's calls and HNS'. Documents are kept as HCN
 * has them. */
#ifndef SKEP_TESTS_EMULATED_HCS_TABLES_H
#define SKEP_TESTS_EMULATED_HCS_TABLES_H

#include <cjson/cJSON.h>
#include <stdint.h>

struct object {
    struct object *next;
    char *kind, *id, *network, *space; /* kind: "network", "namespace", "endpoint"; space: the namespace an endpoint is in */
    cJSON *document;
    unsigned next_host;
};

extern struct object *table_objects;

struct object *table_find(const char *kind, const char *id);

/* HCN's code. @network: of an endpoint. */
uint32_t table_create(const char *kind, const char *id, const char *network, const char *text);
uint32_t table_delete(const char *kind, const char *id);

#endif
