/* api/json_image.h – an image in the two shapes in which Docker shows it. Pure. */
#ifndef SKEP_API_JSON_IMAGE_H
#define SKEP_API_JSON_IMAGE_H

#include "base/json.h"
#include "runtime/image/image.h"

/* @version: the API's minor: before 1.44 there was a VirtualSize, before 1.43 an image without a name was called "<none>:<none>". */
cJSON *json_image_summary(const struct image *image, int version); /* one entry of /images/json */
cJSON *json_image_inspect(const struct image *image, int version); /* /images/{name}/json */

#endif
