/* api/swarm/docker_time.c – see docker_time.h. */
#include "api/swarm/docker_time.h"

#include <stdio.h>
#include <string.h>

#include "google/protobuf/timestamp.pb-c.h"
#include "proto/message.h"

#define GO_ZERO_TIME_S (-62135596800LL) /* the first second of year 1, beyond what an int64 of nanoseconds reaches */

void docker_time(const struct Google__Protobuf__Timestamp *timestamp, char out[DOCKER_TIME_SIZE])
{
    if (timestamp && timestamp->seconds == GO_ZERO_TIME_S) {
        snprintf(out, DOCKER_TIME_SIZE, "0001-01-01T00:00:00Z");
        return;
    }
    time_format_rfc3339(message_timestamp_ns(timestamp, 0), out);
    char *point = strchr(out, '.');
    if (point == NULL)
        return;
    size_t length = strspn(point + 1, "0123456789") + 1;
    while (length > 1 && point[length - 1] == '0')
        length--;
    strcpy(length == 1 ? point : point + length, "Z");
}
