/* runtime/image/tool/backup_file_windows.h – a backup stream (backup_stream.h) written into a real file or directory: by BackupWrite().
 * Under Wine, which has that only in name, by hand: security, content and streams, while extended attributes and links, which it cannot
 * keep, are left out. */
#ifndef SKEP_RUNTIME_IMAGE_TOOL_BACKUP_FILE_WINDOWS_H
#define SKEP_RUNTIME_IMAGE_TOOL_BACKUP_FILE_WINDOWS_H

#include <windows.h>

#include "runtime/image/tool/backup_stream.h"

struct backup_file {
    HANDLE file;      /* borrowed until the end */
    HANDLE directory; /* that it is in; borrowed likewise */
    char name[1024];  /* in that */
    void *context;    /* BackupWrite's */
    bool is_by_hand;
    struct backup_reader reader;
    struct buf part; /* content that is not whole yet */
    HANDLE stream;   /* of the alternate data; NULL: the file itself */
};

/* @file was opened with its security. @name is copied. */
void backup_file_begin(struct backup_file *backup, HANDLE file, HANDLE directory, const char *name);
int backup_file_write(struct backup_file *backup, struct bytes data, struct error *err);
int backup_file_end(struct backup_file *backup, struct error *err); /* in any case; a zeroed struct is nothing */

#endif
