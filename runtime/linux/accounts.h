/* runtime/linux/accounts.h – who "1000:wheel" is, by an image's own /etc/passwd and /etc/group.
 *
 * Pure: it gets the files' content, which is hostile: lines that are no accounts are skipped, sizes are bounded by the reader. The rules
 * are Docker's: a number that no line names stands for itself; a name that no line has is an error. */
#ifndef SKEP_RUNTIME_LINUX_ACCOUNTS_H
#define SKEP_RUNTIME_LINUX_ACCOUNTS_H

#include "base/buf.h"
#include "runtime/document.h"

#define ACCOUNT_GROUPS_COUNT    256
#define ACCOUNT_HOME_SIZE_CHARS 1024

struct account {
    uint32_t uid, gid;
    uint32_t groups[ACCOUNT_GROUPS_COUNT]; /* additional ones: those that list the user, and the document's; none where a group was given */
    size_t group_count;
    char home[ACCOUNT_HOME_SIZE_CHARS]; /* "/" where no line says */
};

/* @user: "", "name", "uid", "name:group", "uid:gid". @more: names or numbers of further groups. ERR_INVALID in Docker's words: "unable to
 * find user x: no matching entries in passwd file". */
int account_find(const char *user, const struct document_strings *more, struct bytes passwd, struct bytes group, struct account *out,
                 struct error *err);

#endif
