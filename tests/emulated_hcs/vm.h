/* tests/emulated_hcs/vm.h – what a utility VM was given while it runs, as its containers find it. Maps, by the name the documents use. */
#ifndef SKEP_TESTS_EMULATED_HCS_VM_H
#define SKEP_TESTS_EMULATED_HCS_VM_H

#include "tests/emulated_hcs/server.h"

#define GUEST_SHARES "\\\\?\\VMSMB\\VSMB-{dcc079ae-60ba-4d07-847c-3493609c0870}\\"
#define GUEST_PIPES  GUEST_SHARES "IPC$\\"

struct vm {
    cJSON *shares;    /* a share's name: its directory */
    cJSON *disks;     /* a lun: its file */
    cJSON *mounts;    /* a path in the guest: the lun that is mounted there */
    cJSON *roots;     /* a path in the guest: the layers that lie over it */
    cJSON *spaces;    /* a namespace's id: true */
    cJSON *announced; /* an adapter's id: the endpoint that the guest was told of */
    cJSON *adapters;  /* an adapter's id: its endpoint */
    cJSON *pipes;     /* a pipe of the host: true */
};

bool vm_may_read(const char *vm_id, const char *path);
bool vm_has(const cJSON *map, const char *key);
bool vm_path_exists(const char *path);
/* The directory of the share that the guest sees as @path; NULL: there is none. */
const char *vm_share(const struct vm *vm, const char *path);

#endif
