/* proto/methods.c – see methods.h. */
#include "proto/methods.h"

#include <string.h>

#include "proto/swarmkit/ca.pb-c.h"
#include "proto/swarmkit/control.pb-c.h"
#include "proto/swarmkit/dispatcher.pb-c.h"
#include "proto/swarmkit/health.pb-c.h"
#include "proto/swarmkit/logbroker.pb-c.h"
#include "proto/swarmkit/raft.pb-c.h"
#include "proto/swarmkit/resource.pb-c.h"
#include "proto/swarmkit/watch.pb-c.h"

const struct method method_list[METHOD_COUNT] = {
#define X(service, name, streams, callers, request, response)                                                                              \
    {"/docker.swarmkit.v1." #service "/" #name, &docker__swarmkit__v1__##request##__descriptor,                                            \
     &docker__swarmkit__v1__##response##__descriptor, METHOD_##streams, METHOD_##callers},
    METHODS(X)
#undef X
};

const struct method *method_find(const char *path)
{
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (strcmp(method_list[i].path, path) == 0)
            return &method_list[i];
    return NULL;
}
