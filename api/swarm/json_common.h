/* api/swarm/json_common.h – the shapes that several of Docker's objects are made of. */
#ifndef SKEP_API_SWARM_JSON_COMMON_H
#define SKEP_API_SWARM_JSON_COMMON_H

#include "api/swarm/shape.h"

extern const struct shape_member swarm_nothing[];          /* an object without members, as Global: {} */
extern const struct shape_member swarm_version[];          /* Version */
extern const struct shape_member swarm_meta[];             /* Meta: in the object around it */
extern const struct shape_member swarm_annotations[];      /* Annotations: Name and Labels, in the object around them */
extern const struct shape_member swarm_driver[];           /* Driver */
extern const struct shape_member swarm_platform[];         /* Platform */
extern const struct shape_member swarm_resources[];        /* Resources: what a node has and a task reserves */
extern const struct shape_member swarm_generic_resource[]; /* GenericResource */
extern const struct shape_member swarm_port[];             /* PortConfig */
extern const struct shape_member swarm_network[];          /* Network as a task's attachment shows it; json_network.c */

/* What enums are called. */
extern const struct shape_name swarm_node_states[], swarm_availabilities[]; /* json_node.c */
extern const struct shape_name swarm_update_states[];                       /* json_service.c */

/* The specs of services and tasks, by file. */
extern const struct shape_member swarm_container_spec[];    /* json_container_spec.c */
extern const struct shape_member swarm_task_spec[];         /* json_task_spec.c: of a task */
extern const struct shape_member swarm_service_task_spec[]; /* the same of a service, whose Runtime is always said */
extern const struct shape_member swarm_network_attachment_config[];
extern const struct shape_member swarm_mount[]; /* json_mount.c */

#endif
