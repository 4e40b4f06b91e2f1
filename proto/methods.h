/* proto/methods.h – every call of SwarmKit's services: its path, its messages, who streams, who may call.
 *
 * One list serves the client, the server's table of handlers and its authorisation. Source: swarmkit-wire §5. */
#ifndef SKEP_PROTO_METHODS_H
#define SKEP_PROTO_METHODS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* X(service, method, who streams, who may call, request, response) */
#define METHODS(X)                                                                                                                         \
    X(Watch, Watch, SERVER_STREAM, MANAGER, watch_request, watch_message)                                                                  \
    X(Raft, ProcessRaftMessage, UNARY, MANAGER, process_raft_message_request, process_raft_message_response)                               \
    X(Raft, StreamRaftMessage, CLIENT_STREAM, MANAGER, stream_raft_message_request, stream_raft_message_response)                          \
    X(Raft, ResolveAddress, UNARY, MANAGER, resolve_address_request, resolve_address_response)                                             \
    X(RaftMembership, Join, UNARY, MANAGER, join_request, join_response)                                                                   \
    X(RaftMembership, Leave, UNARY, MANAGER, leave_request, leave_response)                                                                \
    X(Control, GetNode, UNARY, MANAGER, get_node_request, get_node_response)                                                               \
    X(Control, ListNodes, UNARY, MANAGER, list_nodes_request, list_nodes_response)                                                         \
    X(Control, UpdateNode, UNARY, MANAGER, update_node_request, update_node_response)                                                      \
    X(Control, RemoveNode, UNARY, MANAGER, remove_node_request, remove_node_response)                                                      \
    X(Control, GetTask, UNARY, MANAGER, get_task_request, get_task_response)                                                               \
    X(Control, ListTasks, UNARY, MANAGER, list_tasks_request, list_tasks_response)                                                         \
    X(Control, RemoveTask, UNARY, MANAGER, remove_task_request, remove_task_response)                                                      \
    X(Control, GetService, UNARY, MANAGER, get_service_request, get_service_response)                                                      \
    X(Control, ListServices, UNARY, MANAGER, list_services_request, list_services_response)                                                \
    X(Control, CreateService, UNARY, MANAGER, create_service_request, create_service_response)                                             \
    X(Control, UpdateService, UNARY, MANAGER, update_service_request, update_service_response)                                             \
    X(Control, RemoveService, UNARY, MANAGER, remove_service_request, remove_service_response)                                             \
    X(Control, ListServiceStatuses, UNARY, MANAGER, list_service_statuses_request, list_service_statuses_response)                         \
    X(Control, GetNetwork, UNARY, MANAGER, get_network_request, get_network_response)                                                      \
    X(Control, ListNetworks, UNARY, MANAGER, list_networks_request, list_networks_response)                                                \
    X(Control, CreateNetwork, UNARY, MANAGER, create_network_request, create_network_response)                                             \
    X(Control, RemoveNetwork, UNARY, MANAGER, remove_network_request, remove_network_response)                                             \
    X(Control, GetCluster, UNARY, MANAGER, get_cluster_request, get_cluster_response)                                                      \
    X(Control, ListClusters, UNARY, MANAGER, list_clusters_request, list_clusters_response)                                                \
    X(Control, UpdateCluster, UNARY, MANAGER, update_cluster_request, update_cluster_response)                                             \
    X(Control, GetSecret, UNARY, MANAGER, get_secret_request, get_secret_response)                                                         \
    X(Control, UpdateSecret, UNARY, MANAGER, update_secret_request, update_secret_response)                                                \
    X(Control, ListSecrets, UNARY, MANAGER, list_secrets_request, list_secrets_response)                                                   \
    X(Control, CreateSecret, UNARY, MANAGER, create_secret_request, create_secret_response)                                                \
    X(Control, RemoveSecret, UNARY, MANAGER, remove_secret_request, remove_secret_response)                                                \
    X(Control, GetConfig, UNARY, MANAGER, get_config_request, get_config_response)                                                         \
    X(Control, UpdateConfig, UNARY, MANAGER, update_config_request, update_config_response)                                                \
    X(Control, ListConfigs, UNARY, MANAGER, list_configs_request, list_configs_response)                                                   \
    X(Control, CreateConfig, UNARY, MANAGER, create_config_request, create_config_response)                                                \
    X(Control, RemoveConfig, UNARY, MANAGER, remove_config_request, remove_config_response)                                                \
    X(Control, GetExtension, UNARY, MANAGER, get_extension_request, get_extension_response)                                                \
    X(Control, CreateExtension, UNARY, MANAGER, create_extension_request, create_extension_response)                                       \
    X(Control, RemoveExtension, UNARY, MANAGER, remove_extension_request, remove_extension_response)                                       \
    X(Control, GetResource, UNARY, MANAGER, get_resource_request, get_resource_response)                                                   \
    X(Control, UpdateResource, UNARY, MANAGER, update_resource_request, update_resource_response)                                          \
    X(Control, ListResources, UNARY, MANAGER, list_resources_request, list_resources_response)                                             \
    X(Control, CreateResource, UNARY, MANAGER, create_resource_request, create_resource_response)                                          \
    X(Control, RemoveResource, UNARY, MANAGER, remove_resource_request, remove_resource_response)                                          \
    X(Control, CreateVolume, UNARY, MANAGER, create_volume_request, create_volume_response)                                                \
    X(Control, GetVolume, UNARY, MANAGER, get_volume_request, get_volume_response)                                                         \
    X(Control, UpdateVolume, UNARY, MANAGER, update_volume_request, update_volume_response)                                                \
    X(Control, ListVolumes, UNARY, MANAGER, list_volumes_request, list_volumes_response)                                                   \
    X(Control, RemoveVolume, UNARY, MANAGER, remove_volume_request, remove_volume_response)                                                \
    X(CA, GetRootCACertificate, UNARY, ANYONE, get_root_cacertificate_request, get_root_cacertificate_response)                            \
    X(CA, GetUnlockKey, UNARY, MANAGER, get_unlock_key_request, get_unlock_key_response)                                                   \
    X(NodeCA, IssueNodeCertificate, UNARY, ANYONE, issue_node_certificate_request, issue_node_certificate_response)                        \
    X(NodeCA, NodeCertificateStatus, UNARY, ANYONE, node_certificate_status_request, node_certificate_status_response)                     \
    X(Health, Check, UNARY, MANAGER, health_check_request, health_check_response)                                                          \
    X(Logs, SubscribeLogs, SERVER_STREAM, MANAGER, subscribe_logs_request, subscribe_logs_message)                                         \
    X(LogBroker, ListenSubscriptions, SERVER_STREAM, NODE, listen_subscriptions_request, subscription_message)                             \
    X(LogBroker, PublishLogs, CLIENT_STREAM, NODE, publish_logs_message, publish_logs_response)                                            \
    X(ResourceAllocator, AttachNetwork, UNARY, NODE, attach_network_request, attach_network_response)                                      \
    X(ResourceAllocator, DetachNetwork, UNARY, NODE, detach_network_request, detach_network_response)                                      \
    X(Dispatcher, Session, SERVER_STREAM, NODE, session_request, session_message)                                                          \
    X(Dispatcher, Heartbeat, UNARY, NODE, heartbeat_request, heartbeat_response)                                                           \
    X(Dispatcher, UpdateTaskStatus, UNARY, NODE, update_task_status_request, update_task_status_response)                                  \
    X(Dispatcher, UpdateVolumeStatus, UNARY, NODE, update_volume_status_request, update_volume_status_response)                            \
    X(Dispatcher, Tasks, SERVER_STREAM, NODE, tasks_request, tasks_message)                                                                \
    X(Dispatcher, Assignments, SERVER_STREAM, NODE, assignments_request, assignments_message)

enum method_streams { METHOD_UNARY = 0, METHOD_CLIENT_STREAM = 1, METHOD_SERVER_STREAM = 2, METHOD_BOTH_STREAM = 3 };

enum method_callers {
    METHOD_ANYONE, /* no certificate needed */
    METHOD_NODE,   /* a worker's or a manager's certificate */
    METHOD_MANAGER
};

/* Describes one call. Ours are in method_list; tests and other services make their own. */
struct method {
    const char *path; /* "/docker.swarmkit.v1.Dispatcher/Session" */
    const ProtobufCMessageDescriptor *request, *response;
    enum method_streams streams;
    enum method_callers callers;
};

/* METHOD_Dispatcher_Session and so on: indices into method_list. */
enum method_id {
#define X(service, name, streams, callers, request, response) METHOD_##service##_##name,
    METHODS(X)
#undef X
        METHOD_COUNT
};

extern const struct method method_list[METHOD_COUNT];

/* METHOD(Dispatcher, Session): a const struct method *. */
#define METHOD(service, name) (&method_list[METHOD_##service##_##name])

const struct method *method_find(const char *path); /* NULL: not SwarmKit's */

#endif
