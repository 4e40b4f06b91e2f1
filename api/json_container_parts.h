/* api/json_container_parts.h – parts that the two shapes of a container have in common; for json_container*.c. */
#ifndef SKEP_API_JSON_CONTAINER_PARTS_H
#define SKEP_API_JSON_CONTAINER_PARTS_H

#include "api/json_container.h"

cJSON *json_container_ports_list(const struct hcs_properties *system);
cJSON *json_container_networks(const struct hcs_properties *system);
cJSON *json_container_mounts(const struct hcs_properties *system);
cJSON *json_container_labels_copy(const struct hcs_properties *system);
const char *container_network_mode(const struct hcs_properties *system);

#endif
