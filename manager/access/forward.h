/* manager/access/forward.h – passes a call on: message by message, in both directions, as fast as the slower side takes them. */
#ifndef SKEP_MANAGER_ACCESS_FORWARD_H
#define SKEP_MANAGER_ACCESS_FORWARD_H

#include "proto/grpc/grpc.h"

/* @from is a call that was not accepted yet; it is now this function's. It is made anew on @to, with @metadata; its end there becomes its
 * end here. If @from ends first, so does the other. @waits: as long as @to is connecting, through failures to, until it is closed. */
void forward_call(struct grpc_call *from, struct grpc_channel *to, const struct grpc_metadatum *metadata, size_t metadata_count,
                  bool waits);

#endif
