/* api/json_container.h – a compute system in the two shapes in which Docker shows a container. Pure. */
#ifndef SKEP_API_JSON_CONTAINER_H
#define SKEP_API_JSON_CONTAINER_H

#include "base/json.h"
#include "runtime/hcs.h"

/* What the shapes need beside the system itself. */
struct container_view {
    const struct hcs_properties *system;
    const char *health; /* "starting", "healthy", "unhealthy"; NULL: none */
    int64_t now_wall_ns;
    const char *os;
};

/* State.Status: "created", "running", "paused", "exited", or "dead" for one that never started and never will. */
const char *container_status(const struct hcs_properties *system);

/* "Up 3 minutes (healthy)", "Exited (0) 2 hours ago", "Created". Appended. */
void container_status_line(const struct container_view *view, struct buf *out);

cJSON *json_container_summary(const struct container_view *view); /* one entry of /containers/json */
cJSON *json_container_inspect(const struct container_view *view); /* /containers/{id}/json */

/* The parts of the document that both shapes and the filters read. Never NULL: an empty text where it is not there. */
const char *container_image(const struct hcs_properties *system);
const char *container_image_id(const struct hcs_properties *system);
const cJSON *container_labels(const struct hcs_properties *system); /* an object, or NULL */

#endif
