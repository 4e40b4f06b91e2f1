/* api/wire_node.c – the real node behind the API's table. */
#include "api/provider.h"

struct api_node api_node_wire(struct node *node)
{
    return (struct api_node){.node = node, .info = node_info, .join = node_join, .join_abandon = node_join_abandon, .leave = node_leave};
}
