/* manager/orchestrator/compare.h – whether a task is as its service wants it now. */
#ifndef SKEP_MANAGER_ORCHESTRATOR_COMPARE_H
#define SKEP_MANAGER_ORCHESTRATOR_COMPARE_H

#include "manager/orchestrator/orchestrator.h"

/* The same content: maps in any order; a submessage that is there and empty is not one that is missing. Of one type; either may be NULL. */
bool message_same(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* @node: the task's; NULL: none. Not dirty: of the service's spec version; or differing only in placement constraints that the node
 * satisfies, or only in the credentials for a pull that is over. Source: swarmkit-wire §7.5. */
bool task_is_dirty(const struct orchestrator_rules *rules, const Docker__Swarmkit__V1__Service *service,
                   const Docker__Swarmkit__V1__Task *task, const Docker__Swarmkit__V1__Node *node);

#endif
