/* runtime/image/defaults_linux.c – see defaults.h. */
#include "base/mem.h"
#include "runtime/image/defaults.h"

const char *image_default_store(void)
{
    return "/var/lib/skep/images";
}

const char *image_default_certs_dir(void)
{
    return "/etc/docker/certs.d";
}

bool image_layers_stand_alone(void)
{
    return true;
}

char *image_certs_name(const char *host_and_port)
{
    return mem_string(host_and_port);
}
