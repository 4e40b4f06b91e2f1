/* api/wire_images.c – the real image store behind the API's table. */
#include "api/provider.h"

struct api_images api_images_wire(struct image_store *store)
{
    return (struct api_images){
        .store = store,
        .find = image_find,
        .list = image_list,
        .pull = image_pull,
        .load = image_load,
        .load_write = image_load_write,
        .load_end = image_load_end,
        .remove = image_remove,
        .tag = image_tag,
        .gc = image_gc,
        .cancel = image_job_cancel,
        .deinit = image_deinit,
    };
}
