/* manager/control/network.c – networks: those that every node has. */
#include "manager/control/inside.h"

bool network_is_predefined(const Docker__Swarmkit__V1__Network *network)
{
    const Docker__Swarmkit__V1__Annotations *annotations = network->spec ? network->spec->annotations : NULL;

    for (size_t i = 0; annotations && i < annotations->n_labels; i++)
        if (strcmp(annotations->labels[i]->key, NETWORK_PREDEFINED_LABEL) == 0)
            return strcmp(annotations->labels[i]->value, "true") == 0;
    return false;
}
