/* runtime/document.h – the JSON document that describes a compute system, read whole into a struct and checked.
 *
 *     {"Owner":"skep","SchemaVersion":{"Major":2,"Minor":1},"ShouldTerminateOnLastHandleClosed":false,
 *      "Container":{"GuestOs":{"HostName":"web1"},
 *        "Storage":{"Layers":[{"Id":"..","Path":"<unpacked layer>"}, … top-most first],"Path":""},
 *        "MappedDirectories":[{"HostPath":"..","ContainerPath":"..","ReadOnly":true}],
 *        "Memory":{"SizeInMB":64},"Processor":{"Maximum":5000}},          Maximum: hundredths of a percent of the host's processors
 *      "Skep":{                                                           what HCS has no word for; a Windows back end strips it
 *        "Os":"linux"|"windows",                                          whose paths, limits and mounts it speaks of; "linux" if not said
 *        "Name":"web.1.abc","Labels":{..},"Isolation":"process","CreatedWallNs":..,
 *        "Image":{"Reference":"..","Id":"sha256:..","OsVersion":"10.0.20348.1"},
 *        "Process":{"CommandArgs":[..],"WorkingDirectory":"/","Environment":{"K":"V"},"User":"1000:1000","EmulateConsole":false,
 *                   "CreateStdInPipe":false},
 *        "Linux":{"MemoryBytes","MemorySwapBytes","MemorySwappiness","CpuNano","PidsLimit","CapabilitiesAdd":[],"CapabilitiesDrop":[],
 *                 "Seccomp":"default"|"unconfined"|{OCI seccomp object},"NoNewPrivileges","ReadOnlyRoot","Init","Sysctls":{},
 *                 "Ulimits":[{"Name","Soft","Hard"}],"Groups":[],"OomScoreAdj","ShmSizeBytes"},
 *        "Windows":{"CredentialSpec":"{..}","ProcessorCount","ProcessorWeight","IopsMaximum","BandwidthMaximumBytes","StorageSizeBytes",
 *                   "ArgsEscaped"},                                       of "Linux", Windows takes MemoryBytes and CpuNano alone
 *        "Mounts":[{"Type":"bind"|"volume"|"tmpfs"|"npipe","Source","Target","ReadOnly","Propagation","NonRecursive","CreateMountpoint","NoCopy",
 *                   "VolumeLabels":{},"SizeBytes","Mode","Options":".."}],
 *        "Files":[{"Kind":"secret"|"config","Target":"/run/secrets/x","Uid":0,"Gid":0,"Mode":292}],
 *        "Network":{"Mode":"bridge"|"host"|"none","Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":8080}],
 *                   "Dns":{"Nameservers":[],"Search":[],"Options":[]},"Hosts":["name:ip"]},
 *        "StopSignal":"SIGTERM","StopGraceNs":10000000000,"Health":{..},  Health is kept, never read here
 *        "Log":{"Driver":"json-file"|"none","MaxSizeBytes":..,"MaxFiles":..}}}
 *
 * Only Skep.Process.CommandArgs and a layer are needed. A member that nobody knows is refused by its path, as HCS does (hcs.md §9.17), save
 * below Skep.Health and Skep.Labels. Pure: it opens no file. */
#ifndef SKEP_RUNTIME_DOCUMENT_H
#define SKEP_RUNTIME_DOCUMENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/isolation.h"

enum document_mount_type { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS, MOUNT_PIPE };
enum document_network_mode { NETWORK_BRIDGE, NETWORK_HOST, NETWORK_NONE };
enum document_seccomp { SECCOMP_DEFAULT, SECCOMP_UNCONFINED, SECCOMP_CUSTOM };

struct document_pair {
    const char *key, *value;
};

struct document_strings {
    const char **items;
    size_t count;
};

struct document_pairs {
    struct document_pair *items;
    size_t count;
};

struct document_process {
    struct document_strings args;
    const char *working_dir; /* "/" where not given; "C:\\" of Windows */
    struct document_pairs environment;
    const char *user; /* "" where not given: root */
    bool has_tty, has_stdin;
};

struct document_ulimit {
    const char *name; /* "nofile" */
    int64_t soft, hard;
};

struct document_linux {
    int64_t memory_bytes, memory_swap_bytes; /* 0: no limit; swap -1: no limit, 0: twice the memory */
    int64_t memory_swappiness;               /* -1: the host's */
    int64_t cpu_nano, pids_limit;            /* 0: no limit */
    struct document_strings capabilities_add, capabilities_drop, groups;
    enum document_seccomp seccomp;
    const cJSON *seccomp_profile; /* borrowed from the document; SECCOMP_CUSTOM only */
    bool no_new_privileges, is_root_read_only, has_init;
    struct document_pairs sysctls;
    struct document_ulimit *ulimits;
    size_t ulimit_count;
    int64_t oom_score_adj, shm_size_bytes;
};

/* Zero or NULL: not given. */
struct document_windows {
    const char *credential_spec; /* of a group managed service account, JSON as text */
    int64_t processor_count, processor_weight, iops_maximum, bandwidth_maximum_bytes, storage_size_bytes;
    bool is_command_line; /* the first argument is a command line already, in Windows' quotes: Docker's ArgsEscaped */
};

struct document_mount {
    enum document_mount_type type;
    const char *source; /* bind: a path; volume: its name, "" for one of its own that goes with the system; tmpfs: "";
                           npipe: a pipe of the host, as the target one of the system, "\\\\.\\pipe\\name" */
    const char *target; /* absolute */
    bool is_read_only, is_non_recursive, creates_mountpoint, no_copy;
    const char *propagation; /* "rprivate" where not given */
    struct document_pairs volume_labels;
    int64_t size_bytes, mode; /* tmpfs; 0: not given */
    const char *options;      /* tmpfs: "noexec,nosuid"; "" where not given */
};

struct document_file {
    bool is_secret;
    const char *target;
    uint32_t uid, gid, mode;
};

struct document_port {
    bool is_udp;
    uint16_t target_port, published_port; /* published 0: any free one */
};

struct document_network {
    enum document_network_mode mode;
    struct document_port *ports;
    size_t port_count;
    struct document_strings nameservers, searches, dns_options, hosts; /* hosts: "name:ip" */
};

struct document_log {
    bool is_kept;
    int64_t max_size_bytes, max_files;
};

struct document {
    bool is_windows;
    int processor_hundredths;       /* Container.Processor.Maximum; 0: no limit */
    const char *owner, *hostname;   /* hostname "" where not given: the first 12 of the id */
    struct document_strings layers; /* unpacked directories, top-most first */
    const char *name, *image_reference, *image_id;
    const char *image_os_version; /* of an image of Windows; "" where not known */
    enum isolation isolation;
    struct document_pairs labels;
    int64_t created_wall_ns, stop_grace_ns;
    const char *stop_signal;
    int stop_signal_number;
    struct document_process process;
    struct document_linux linux_;
    struct document_windows windows;
    struct document_mount *mounts; /* Container.MappedDirectories are among them */
    size_t mount_count;
    struct document_file *files;
    size_t file_count;
    struct document_network network;
    struct document_log log;
};

/* Fill @out, whose strings live in @arena, except the seccomp profile (borrowed from @json). ERR_INVALID or ERR_LIMIT naming the member:
 * "Skep.Mounts[2].Target: not an absolute path: \"x\"". */
int document_parse(const cJSON *json, struct arena *arena, struct document *out, struct error *err);

/* A copy without raw JSON in it, as a reader of its text would get it; freed by the caller. ERR_LIMIT beyond CONTAINER_DOCUMENT_SIZE_BYTES.
 */
int document_normalise(const cJSON *json, cJSON **out, struct error *err);

/* The parameters of a process in a system (of Windows?): the members of Skep.Process, nothing else. */
int document_parse_process(const cJSON *json, bool is_windows, struct arena *arena, struct document_process *out, struct error *err);

/* "SIGTERM", "TERM", "term" or "15" as Linux numbers them; -1 for what is none. */
int document_signal_number(const char *text);

/* Of Windows with a drive, or as Win32 names devices, volumes and shares; else from the root on. */
bool document_path_is_absolute(const char *path, bool is_windows);

#endif
