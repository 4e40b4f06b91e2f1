/* manager/scheduler/generic_resource.h – the two kinds of a GenericResource message. */
#ifndef SKEP_MANAGER_SCHEDULER_GENERIC_RESOURCE_H
#define SKEP_MANAGER_SCHEDULER_GENERIC_RESOURCE_H

#include "proto/swarmkit/types.pb-c.h"

/* Its named value, or NULL. */
static inline const Docker__Swarmkit__V1__NamedGenericResource *generic_named(const Docker__Swarmkit__V1__GenericResource *generic)
{
    bool is_named = generic->resource_case == DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_NAMED_RESOURCE_SPEC;
    return is_named ? generic->named_resource_spec : NULL;
}

/* Its number, or NULL. */
static inline const Docker__Swarmkit__V1__DiscreteGenericResource *generic_discrete(const Docker__Swarmkit__V1__GenericResource *generic)
{
    bool is_discrete = generic->resource_case == DOCKER__SWARMKIT__V1__GENERIC_RESOURCE__RESOURCE_DISCRETE_RESOURCE_SPEC;
    return is_discrete ? generic->discrete_resource_spec : NULL;
}

#endif
