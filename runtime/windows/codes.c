/* runtime/windows/codes.c – see codes.h. */
#include "runtime/windows/codes.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"

enum { FACILITY_HCS = 0x37, FACILITY_HCN = 0x3B, FACILITY_WIN32 = 7, SAID_CHARS = 600 };

/* low word, name, our code, what it means; what to do. */
#define HCS_CODES(X)                                                                                                                       \
    X(0x100, "HCS_E_TERMINATED_DURING_START", PEER, "the container ended while it was starting; look at its image and the events below")   \
    X(0x101, "HCS_E_IMAGE_MISMATCH", UNSUPPORTED,                                                                                          \
      "the image's build of Windows does not fit this host; use hyperv isolation, or an image of the host's build")                        \
    X(0x102, "HCS_E_HYPERV_NOT_INSTALLED", UNSUPPORTED, "Hyper-V is not installed; enable the Hyper-V feature, or use process isolation")  \
    X(0x103, "", UNAVAILABLE, "the operation is pending and its end was not told; the container is asked for its state")                   \
    X(0x104, "", PEER, "HCS refused without a public reason; look at the host's Hyper-V-Compute event log")                                \
    X(0x105, "HCS_E_INVALID_STATE", PRECONDITION, "not possible in the container's present state; it may be stopping already")             \
    X(0x106, "HCS_E_UNEXPECTED_EXIT", PEER,                                                                                                \
      "the container's system ended by itself; too little memory, a damaged image, or a scratch that is too large for this build")         \
    X(0x107, "HCS_E_TERMINATED", CANCELED, "it was terminated")                                                                            \
    X(0x108, "HCS_E_CONNECT_FAILED", UNAVAILABLE, "the utility VM's guest cannot be reached; the VM is terminated, try again")             \
    X(0x109, "HCS_E_CONNECTION_TIMEOUT", UNAVAILABLE,                                                                                      \
      "the utility VM's guest did not answer in time; the host may be short of memory or processors, try again")                           \
    X(0x10A, "HCS_E_CONNECTION_CLOSED", UNAVAILABLE, "the utility VM's guest closed the connection: it has died")                          \
    X(0x10B, "HCS_E_UNKNOWN_MESSAGE", UNSUPPORTED, "the utility VM's guest does not know the request; use a newer base image")             \
    X(0x10C, "HCS_E_UNSUPPORTED_PROTOCOL_VERSION", UNSUPPORTED, "the utility VM's guest is too old; use a newer base image")               \
    X(0x10D, "HCS_E_INVALID_JSON", INTERNAL,                                                                                               \
      "HCS refused our document; the host's build may be older than a member in it, please report the events below")                       \
    X(0x10E, "HCS_E_SYSTEM_NOT_FOUND", NOT_FOUND, "HCS knows no such container (any more)")                                                \
    X(0x10F, "HCS_E_SYSTEM_ALREADY_EXISTS", EXISTS, "HCS has a container of this id already; of another owner it is left alone")           \
    X(0x110, "HCS_E_SYSTEM_ALREADY_STOPPED", PRECONDITION, "it is stopped already")                                                        \
    X(0x111, "HCS_E_PROTOCOL_ERROR", PEER, "HCS and the utility VM's guest do not understand each other; restart the service vmcompute")   \
    X(0x112, "HCS_E_INVALID_LAYER", CORRUPT, "a layer of the image is damaged or was not imported; remove the image and pull it again")    \
    X(0x113, "HCS_E_WINDOWS_INSIDER_REQUIRED", UNSUPPORTED, "the image needs an insider build of Windows")                                 \
    X(0x114, "HCS_E_SERVICE_NOT_AVAILABLE", UNAVAILABLE, "the Containers feature is missing or its service vmcompute does not run")        \
    X(0x115, "HCS_E_OPERATION_NOT_STARTED", INTERNAL, "an operation was asked for its result before it was used")                          \
    X(0x116, "HCS_E_OPERATION_ALREADY_STARTED", INTERNAL, "an operation was used twice")                                                   \
    X(0x117, "HCS_E_OPERATION_PENDING", AGAIN, "the operation is not finished")                                                            \
    X(0x118, "HCS_E_OPERATION_TIMEOUT", DEADLINE, "no answer in time; the container is asked for its state")                               \
    X(0x119, "HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET", INTERNAL, "two kinds of callback on one handle")                               \
    X(0x11A, "HCS_E_OPERATION_RESULT_ALLOCATION_FAILED", LIMIT, "HCS has no memory for its answer; the host is short of memory")           \
    X(0x11B, "HCS_E_ACCESS_DENIED", PERMISSION,                                                                                            \
      "access denied; run skepd as a service, as administrator, or as a member of Hyper-V Administrators")                                 \
    X(0x11C, "HCS_E_GUEST_CRITICAL_ERROR", PEER, "the utility VM's guest crashed")                                                         \
    X(0x11D, "HCS_E_PROCESS_INFO_NOT_AVAILABLE", UNAVAILABLE, "the process' handles are not there (any more)")                             \
    X(0x11E, "HCS_E_SERVICE_DISCONNECT", UNAVAILABLE,                                                                                      \
      "the service vmcompute died or was restarted; containers are opened anew, nothing is lost that still runs")                          \
    X(0x11F, "HCS_E_PROCESS_ALREADY_STOPPED", PRECONDITION, "the process has ended already")

#define WIN32_CODES(X)                                                                                                                     \
    X(0x2, "ERROR_FILE_NOT_FOUND", NOT_FOUND, "The system cannot find the file specified")                                                 \
    X(0x3, "ERROR_PATH_NOT_FOUND", NOT_FOUND, "The system cannot find the path specified")                                                 \
    X(0x5, "ERROR_ACCESS_DENIED", PERMISSION,                                                                                              \
      "Access is denied; skepd needs to be administrator, and a virtual machine needs to be granted its disks")                            \
    X(0x6, "ERROR_INVALID_HANDLE", PRECONDITION, "the handle is dead: the container is stopping")                                          \
    X(0xD, "ERROR_INVALID_DATA", UNSUPPORTED, "HCS does not support the request")                                                          \
    X(0x15, "ERROR_NOT_READY", AGAIN, "a layer's disk is not ready yet")                                                                   \
    X(0x20, "ERROR_SHARING_VIOLATION", AGAIN,                                                                                              \
      "it is in use by another process (antivirus, search), or the image's build of Windows does not fit this host")                       \
    X(0x32, "ERROR_NOT_SUPPORTED", UNSUPPORTED, "this host does not support the request")                                                  \
    X(0x57, "ERROR_INVALID_PARAMETER", INVALID, "a parameter is not accepted; builds 18362 and 18363 take no scratch larger than 20 GB")   \
    X(0x70, "ERROR_DISK_FULL", NO_SPACE, "no space left on the disk")                                                                      \
    X(0x7F, "ERROR_PROC_NOT_FOUND", UNSUPPORTED, "this build of Windows lacks the function")                                               \
    X(0xC1, "ERROR_BAD_EXE_FORMAT", UNSUPPORTED, "the command is no program of this system")                                               \
    X(0x10B, "ERROR_DIRECTORY", INVALID, "the working directory is invalid; it must exist in the image")                                   \
    X(0x4C7, "ERROR_CANCELLED", CANCELED, "given up on request")                                                                           \
    X(0x48F, "ERROR_DEVICE_NOT_CONNECTED", AGAIN, "a layer's disk is not connected yet")                                                   \
    X(0x490, "ERROR_NOT_FOUND", NOT_FOUND, "there is no such element (any more)")                                                          \
    X(0x52E, "ERROR_LOGON_FAILURE", INVALID, "the container has no such user; images have ContainerAdministrator and ContainerUser")       \
    X(0x5B4, "ERROR_TIMEOUT", DEADLINE, "the host took too long; it may be starting too much at once")

#define HCN_CODES(X)                                                                                                                       \
    X(0x1, "HCN_E_NETWORK_NOT_FOUND", NOT_FOUND, "there is no such network (any more); restarting skepd makes it anew")                    \
    X(0x2, "HCN_E_ENDPOINT_NOT_FOUND", NOT_FOUND, "there is no such endpoint (any more)")                                                  \
    X(0x5, "HCN_E_SUBNET_NOT_FOUND", NOT_FOUND, "the network has no such subnet")                                                          \
    X(0x6, "HCN_E_ADAPTER_NOT_FOUND", NOT_FOUND, "there is no such network adapter")                                                       \
    X(0xA, "HCN_E_INVALID_NETWORK", INVALID, "the network's description is not accepted")                                                  \
    X(0xB, "HCN_E_INVALID_NETWORK_TYPE", INVALID, "the network's type is not accepted")                                                    \
    X(0xC, "HCN_E_INVALID_ENDPOINT", INVALID, "the endpoint's description is not accepted")                                                \
    X(0xD, "HCN_E_INVALID_POLICY", INVALID, "a policy of the endpoint is not accepted")                                                    \
    X(0x10, "HCN_E_NETWORK_ALREADY_EXISTS", EXISTS, "the network exists already")                                                          \
    X(0x13, "HCN_E_PORT_ALREADY_EXISTS", EXISTS, "the published port is taken on this host; free it, or publish another")                  \
    X(0x14, "HCN_E_ENDPOINT_ALREADY_ATTACHED", EXISTS, "the endpoint is attached already")                                                 \
    X(0x15, "HCN_E_REQUEST_UNSUPPORTED", UNSUPPORTED, "the host's network service does not support the request")                           \
    X(0x16, "HCN_E_MAPPING_NOT_SUPPORTED", UNSUPPORTED, "the port mapping is not supported")                                               \
    X(0x1B, "HCN_E_INVALID_JSON", INTERNAL, "the network service refused our document")                                                    \
    X(0x1E, "HCN_E_INVALID_IP", INVALID, "the address is not accepted")                                                                    \
    X(0x2B, "HCN_E_ENDPOINT_NAMESPACE_ALREADY_EXISTS", EXISTS, "the endpoint is in that namespace already")                                \
    X(0x2C, "HCN_E_ENTITY_HAS_REFERENCES", PRECONDITION, "it is still in use")                                                             \
    X(0x2E, "HCN_E_NAMESPACE_ATTACH_FAILED", PEER, "the endpoint could not be attached")                                                   \
    X(0x32, "HCN_E_INVALID_SUBNET", INVALID, "the subnet is not accepted; it may overlap another of this host")

struct code {
    unsigned low;
    const char *name;
    int error;
    const char *meaning;
};

static const struct code hcs_codes[] = {
#define X(low, name, error, meaning) {(low), (name), ERR_##error, (meaning)},
    HCS_CODES(X)};
static const struct code win32_codes[] = {WIN32_CODES(X)};
static const struct code hcn_codes[] = {HCN_CODES(X)
#undef X
};

static const struct code no_hypervisor = {0, "HV_STATUS_NO_HYPERVISOR", ERR_UNSUPPORTED,
                                          "no hypervisor is present on this host; enable Hyper-V, and in a virtual machine nested "
                                          "virtualization, or use process isolation"};
static const struct code not_implemented = {0, "E_NOTIMPL", ERR_UNSUPPORTED, "this build of Windows lacks the function"};

static unsigned facility_of(uint32_t code)
{
    return (code >> 16) & 0x1FFF;
}

bool windows_is_hcs(uint32_t code, enum windows_hcs_code low)
{
    return (code & 0x3FFF0000) == FACILITY_HCS << 16 && (code & 0xFFFF) == (uint32_t)low;
}

bool windows_is_win32(uint32_t code, unsigned low)
{
    return (code & 0x1FFF0000) == FACILITY_WIN32 << 16 && (code & 0xFFFF) == low;
}

bool windows_is_hcn(uint32_t code, unsigned low)
{
    return facility_of(code) == FACILITY_HCN && (code & 0xFFFF) == low;
}

bool windows_is_gone(uint32_t code)
{
    return windows_is_hcs(code, HCS_E_SYSTEM_NOT_FOUND) || windows_is_win32(code, WINDOWS_E_NOT_FOUND);
}

bool windows_is_stopped(uint32_t code)
{
    return windows_is_gone(code) || windows_is_hcs(code, HCS_E_SYSTEM_ALREADY_STOPPED) ||
           windows_is_hcs(code, HCS_E_PROCESS_ALREADY_STOPPED) || windows_is_hcs(code, HCS_E_TERMINATED);
}

bool windows_is_timeout(uint32_t code)
{
    return windows_is_hcs(code, HCS_E_OPERATION_TIMEOUT) || windows_is_hcs(code, HCS_E_PENDING) || windows_is_win32(code, 0x5B4);
}

bool windows_is_lost(uint32_t code)
{
    return windows_is_hcs(code, HCS_E_SERVICE_DISCONNECT);
}

bool windows_is_no_device(uint32_t code)
{
    return windows_is_win32(code, WINDOWS_E_NOT_READY) || windows_is_win32(code, WINDOWS_E_NOT_CONNECTED);
}

static const struct code *find_in(const struct code *codes, size_t count, unsigned low)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i].low == low)
            return &codes[i];
    return NULL;
}

#define FIND(codes, low) find_in(codes, sizeof(codes) / sizeof(codes)[0], low)

static const struct code *find(uint32_t code)
{
    if (code == 0xC0351000)
        return &no_hypervisor;
    if (code == 0x80004001)
        return &not_implemented;
    if ((code & 0x3FFF0000) == FACILITY_HCS << 16)
        return FIND(hcs_codes, code & 0xFFFF);
    if (facility_of(code) == FACILITY_HCN)
        return FIND(hcn_codes, code & 0xFFFF);
    return (code & 0x1FFF0000) == FACILITY_WIN32 << 16 ? FIND(win32_codes, code & 0xFFFF) : NULL;
}

const char *windows_code_name(uint32_t code)
{
    const struct code *known = find(code);

    return known ? known->name : "";
}

static void append_text(struct buf *said, const char *text)
{
    if (!text[0] || said->size > SAID_CHARS)
        return;
    buf_append_format(said, "%s%.*s", said->size ? "; " : "", SAID_CHARS, text);
    while (said->size > 0 && strchr(" \r\n", said->data[said->size - 1]))
        said->data[--said->size] = '\0';
}

/* What HCS says itself: the result document's message and those of its events. */
static void append_result(struct buf *said, const char *result)
{
    cleanup_json cJSON *json = NULL;
    const cJSON *event;

    if (!result || json_parse(bytes_of_string(result), MIB, &json, NULL) < 0)
        return;
    append_text(said, json_string(json, "ErrorMessage", json_string(json, "Error", "")));
    cJSON_ArrayForEach (event, json_array(json, "ErrorEvents"))
        append_text(said, json_string(event, "Message", ""));
}

int windows_error(struct error *err, const char *what, uint32_t code, const char *result)
{
    const struct code *known = find(code);
    cleanup_buf struct buf said = {0};

    append_result(&said, result);
    return error_set(err, known ? known->error : ERR_PEER, "%s: Windows answered 0x%08x%s%s%s: %s%s%s", what, code,
                     known && known->name[0] ? " (" : "", known ? known->name : "", known && known->name[0] ? ")" : "",
                     known ? known->meaning : "a code without a public meaning; look at the host's Hyper-V-Compute event log",
                     said.size ? ": " : "", said.size ? (const char *)said.data : "");
}

int windows_exit_code_of(uint32_t code)
{
    static const unsigned not_found[] = {0x2, 0x3, 0x7B}, not_executable[] = {0x5, 0xC1, 0x10B, 0x52E};

    for (size_t i = 0; i < sizeof not_found / sizeof not_found[0]; i++)
        if (windows_is_win32(code, not_found[i]))
            return 127;
    for (size_t i = 0; i < sizeof not_executable / sizeof not_executable[0]; i++)
        if (windows_is_win32(code, not_executable[i]))
            return 126;
    return 128;
}
