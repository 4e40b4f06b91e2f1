/* Nothing can be mounted: tests that want to skip themselves, as they do where they are not root. */
#ifndef SKEP_TESTS_WINDOWS_SYS_MOUNT_H
#define SKEP_TESTS_WINDOWS_SYS_MOUNT_H

#define MNT_DETACH 2

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount(const char *target);
int umount2(const char *target, int flags);

#endif
