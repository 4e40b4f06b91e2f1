/* runtime/windows/encode.h – from our document (runtime/document.h) to what HCS is given: one encoder for both of its forms.
 *
 * Pure C over cJSON, compiled on every host: tests/fixtures/hcs/ holds what comes out for a table of containers.
 *
 * Where each member comes from (Microsoft's "Host Compute System Schema Reference", the struct's own section there; hcs.md in brackets):
 *
 *     our document                     schema 2 (ComputeSystem)                                schema 1 (ContainerConfig, hcs.md §3.10)
 *     Owner, SchemaVersion             ComputeSystem.Owner, .SchemaVersion         [§3.1]      Owner, SystemType, Name
 *     Container.GuestOs.HostName       GuestOs.HostName                            [§3.2]      HostName
 *     Container.Storage.Layers         Storage.Layers (Layer.Id, .Path)            [§3.2]      Layers (ID, Path)
 *     the scratch                      Storage.Path, with a trailing backslash     [§3.2]      VolumePath without one, LayerFolderPath
 *     Windows.IopsMaximum, Bandwidth…  StorageQoS.IopsMaximum, .BandwidthMaximum   [§3.2]      StorageIOPSMaximum, StorageBandwidthMaximum
 *     Mounts (bind, volume), Files     MappedDirectory                             [§3.2]      MappedDirectories
 *     Mounts (npipe)                   MappedPipe                                  [§3.2]      MappedPipes
 *     Linux.MemoryBytes                Container_Memory_Information.SizeInMB       [§3.2]      MemoryMaximumInMB
 *     Linux.CpuNano, Windows.Proc…     Processor: one of Count, Maximum, Weight    [§3.2,§8.3] ProcessorCount, -Maximum, -Weight
 *     the endpoint                     Networking.Namespace                        [§3.2,§7.4] EndpointList
 *     Network.Dns.Search               Networking.DnsSearchList                    [§3.2]      DNSSearchList
 *     Windows.CredentialSpec           ContainerCredentialGuardState               [§3.9]      Credentials
 *     Process                          ProcessParameters                           [§3.6]      the same
 *     Isolation hyperv                 HvRuntime, HvPartition in schema 1 [§3.10]; VirtualMachine and HostedSystem in schema 2 [§3.3–3.5]
 *
 * and of the requests that a utility VM is given (ModifySettingRequest, "Virtual Machine Resource Paths" there; order after hcsshim,
 * [§4.5]):
 *
 *     layers, mounts, Files            VirtualSmbShare at VirtualMachine/Devices/VirtualSmb/Shares                        [§3.4, §3.7]
 *     the scratch                      Attachment at …/Scsi/GUID/Attachments/1; to the guest MappedVirtualDisk            [§3.4, §3.7]
 *     layers over the scratch          to the guest CombinedLayers                                                        [§3.7]
 *     the namespace                    to the guest NetworkNamespace: HCN's own document                                  [§3.7, §7.4]
 *     the endpoint                     to the guest Network, first PreAdd (HNSEndpoint of schema 1), then Add             [§3.7, §7.5]
 *                                      with NetworkAdapter at VirtualMachine/Devices/NetworkAdapters/GUID                 [§3.4, §3.7]
 *     Mounts (npipe)                   VirtualMachine/Devices/MappedPipes/PATH, and below IPC$ for the container          [§3.2, §3.7]
 *     changed limits                   …/ComputeTopology/Memory/SizeInMB, …/Processor/Limits (Limit: 100,000 is all)      [§3.7]
 */
#ifndef SKEP_RUNTIME_WINDOWS_ENCODE_H
#define SKEP_RUNTIME_WINDOWS_ENCODE_H

#include "runtime/document.h"
#include "runtime/windows/schema.h"

struct windows_layer {
    const char *id;   /* the GUID HCS makes of the folder's name: NameToGuid */
    const char *path; /* the folder; in a utility VM the path its guest sees */
};

/* A directory of the host that a utility VM is given. */
enum windows_share_kind { WINDOWS_SHARE_LAYER, WINDOWS_SHARE_READ_ONLY, WINDOWS_SHARE_WRITABLE };
struct windows_share {
    const char *name, *path;
    enum windows_share_kind kind;
};

/* What the host adds to a document: everything that is known only once layers, volumes and network are there. NULL, 0: not there. */
struct windows_place {
    const char *id;
    const struct windows_schema *schema;
    enum isolation isolation; /* process or hyperv */
    enum windows_form form;
    const struct windows_layer *layers;
    size_t layer_count;               /* the nearest first, the base last */
    const char *scratch_volume;       /* "\\?\Volume{..}" without a trailing backslash; process isolation */
    const char *scratch_dir;          /* where sandbox.vhdx lies */
    const char *utility_vm_dir;       /* "..\UtilityVM" of the nearest layer that has one; hyperv isolation */
    const char *const *mount_sources; /* for each of the document's mounts: its directory on the host; NULL: the mount's own source */
    const char *files_dir;            /* of secrets and configs */
    const char *namespace_id;         /* form 2 */
    const char *const *endpoint_ids;  /* form 1 */
    size_t endpoint_count;
    bool allows_unqualified_dns;
    const struct windows_share *shares; /* of a hosted container's VM: windows_shares_of */
    size_t share_count;
    const char *credential_spec;    /* form 1: its text */
    const cJSON *credential_guard;  /* form 2: the state HCS gave for the credential spec; borrowed */
    const cJSON *credential_socket; /* and the service a utility VM must have for it; borrowed */
    uint32_t processor_count;       /* of the host */
    bool is_first_start;
};

/* Secrets and configs, as Docker has them: the host keeps all secrets of a container in one directory and all configs in another, each file
 * under its number in the document; the container is shown both, read-only, and links in its file system lead there from the targets
 * (links.h). Nothing that the image has beside a target is hidden. hcs.md §8.2. */
bool windows_files_directory(const struct document *document, size_t index, bool *is_secret); /* the @index-th; false beyond the last */
const char *windows_files_name(bool is_secret);                                               /* below files_dir: "secrets", "configs" */
const char *windows_files_container(bool is_secret);                                          /* where the container sees it */

/* A target as a path below the root of the container's drive C, "app\\key" of "c:/app/key"; freed by the caller. ERR_UNSUPPORTED for what
 * is not on C or is no name of Windows. */
int windows_file_path(const char *target, char **below_root, struct error *err);
int windows_check_files(const struct document *document, struct error *err);

/* Is this a container that Windows can run at all, on a host of this schema? ERR_UNSUPPORTED naming the member, its meaning, and what would
 * do instead: documents of Linux, limits Windows has no word for, named pipes before 16299. */
int windows_check(const struct document *document, const struct windows_schema *schema, enum isolation isolation, struct error *err);

/* The document for HcsCreateComputeSystem, in the place's form; hyperv isolation in form 2 has the two below instead. */
int windows_encode_container(const struct document *document, const struct windows_place *place, cJSON **out, struct error *err);

/* Hyperv isolation in schema 2 takes two systems: a utility VM, which boots from @place->utility_vm_dir with @scratch_vhdx (a copy of its
 * SystemTemplate.vhdx), and the container hosted in it, whose layers, volumes and scratch are paths of the guest: what @place->shares and
 * the requests below gave to the VM before. */
int windows_encode_utility_vm(const struct document *document, const struct windows_place *place, const char *scratch_vhdx, cJSON **out,
                              struct error *err);
int windows_encode_hosted(const struct document *document, const struct windows_place *place, const char *vm_id, cJSON **out,
                          struct error *err);

/* --- what a running utility VM is given, in this order (hcs.md §4.5): a ModifySettingRequest each --- */

#define WINDOWS_GUEST_ROOT "c:\\mounts\\scsi\\m1" /* where the container's scratch is in its VM, and then its whole file system */

enum { WINDOWS_VM_SCRATCH_LUN = 0, WINDOWS_CONTAINER_SCRATCH_LUN = 1 };

/* Layers first, in their order, then the directories that are mounted or hold secrets and configs, each once: writable when any of its
 * mounts is. Names and array in @arena. */
void windows_shares_of(const struct document *document, const struct windows_place *place, struct arena *arena,
                       const struct windows_share **out, size_t *count);

cJSON *windows_encode_share(const struct windows_share *share);
cJSON *windows_encode_scratch(const char *scratch_vhdx);                     /* the disk, and its mount in the guest */
cJSON *windows_encode_combined_layers(const struct windows_place *place);    /* the filter over the scratch */
cJSON *windows_encode_guest_namespace(const cJSON *document);                /* @document: HCN's of the namespace */
cJSON *windows_encode_guest_endpoint(const char *adapter, const cJSON *hns); /* announces it; @hns: the endpoint as HNS shows it */
cJSON *windows_encode_adapter(const char *adapter, const char *endpoint_id, const char *mac);
cJSON *windows_encode_vm_pipe(const char *host_path);

/* A change of a container's limits (below) as one of its VM, which is all that limits it. */
cJSON *windows_encode_vm_update(const cJSON *asked);

/* ProcessParameters. @environment_of: the first process, whose environment a further one has too; may be NULL. @is_command_line: the first
 * argument is a command line in Windows' own quotes already, taken as it is; what follows it is quoted. */
int windows_encode_process(const struct document_process *process, const struct document_process *environment_of, bool is_command_line,
                           cJSON **out, struct error *err);

/* Arguments as CommandLineToArgvW and the C runtime take them apart again. Freed by the caller. */
char *windows_command_line(const struct document_strings *args);

/* Queries and requests. */
cJSON *windows_encode_query(const char *const *property_types);                 /* {"PropertyTypes":[..]}; NULL-terminated */
cJSON *windows_encode_owner_query(const char *owner);                           /* {"Owners":[..]} */
cJSON *windows_encode_signal(const char *name);                                 /* {"Signal":"CtrlShutdown"} */
cJSON *windows_encode_console_size(unsigned height, unsigned width);            /* ProcessModifyRequest */
cJSON *windows_encode_close_stdin(void);                                        /* ProcessModifyRequest */
cJSON *windows_encode_layers(const struct windows_layer *layers, size_t count); /* computestorage's layerData */

/* Our signal as HCS knows it: "CtrlShutdown" for TERM, "CtrlC" for INT; NULL for KILL, which is a terminate. ERR_INVALID for any other. */
int windows_signal_name(const char *signal, const char **out, struct error *err);

/* @request as in runtime/hcs.h, checked against what this host can change in a running system. ERR_UNSUPPORTED with the reason. */
int windows_check_modify(const cJSON *request, const struct windows_schema *schema, enum windows_form form, struct error *err);

#endif
