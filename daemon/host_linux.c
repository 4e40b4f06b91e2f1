/* daemon/host_linux.c – see host.h: flock(2), setrlimit(2). */
#include "daemon/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

enum { HEAP_ARENAS_COUNT = 2 };  /* the loop's, and one for all workers: they wait for the system rather than for each other */
enum { PROC_FILE_BYTES = 4096 }; /* stat and statm are a line each */

static int make_private(const char *dir, struct error *err)
{
    if (file_make_dirs(dir, 0755, err) < 0)
        return err->code;
    if (chmod(dir, 0700) < 0)
        return error_set_uv(err, -errno, "make %s private", dir);
    return 0;
}

int host_claim_directory(const char *dir, struct error *err)
{
    if (make_private(dir, err) < 0)
        return err->code;
    cleanup_free char *path = mem_format("%s/lock", dir);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return error_set_uv(err, -errno, "open %s", path);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        char holder[16] = "";
        ssize_t length = pread(lock, holder, sizeof holder - 1, 0);
        holder[length > 0 ? length : 0] = '\0';
        holder[strcspn(holder, "\n")] = '\0';
        close(lock);
        return error_set(err, ERR_EXISTS, "%s is in use by another skepd (process %s): give this one directories of its own", dir,
                         holder[0] ? holder : "unknown");
    }
    char line[16];
    int length = snprintf(line, sizeof line, "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) < 0 || pwrite(lock, line, (size_t)length, 0) != length || fsync(lock) < 0) {
        int failed = errno ? -errno : -EIO;
        close(lock);
        return error_set_uv(err, failed, "write %s", path);
    }
    return 0; /* the descriptor stays open: the lock lives as long as the process */
}

const char *host_default_isolation(void)
{
    return "process";
}

bool host_has_group(const char *name)
{
    enum { RECORD_SIZE_BYTES = 16384 };
    cleanup_free char *record = mem_alloc(RECORD_SIZE_BYTES);
    struct group group, *found = NULL;
    return getgrnam_r(name, &group, record, RECORD_SIZE_BYTES, &found) == 0 && found != NULL;
}

void host_prepare_process(void)
{
    struct rlimit limit;
    cleanup_free char *workers = mem_format("%d", CONTAINER_STARTS_PARALLEL_COUNT);
    setenv("UV_THREADPOOL_SIZE", workers, 0);
    mallopt(M_ARENA_MAX, HEAP_ARENAS_COUNT);
    signal(SIGPIPE, SIG_IGN);
    umask(022); /* what is private names its mode; what a container shall see, such as its root, must not lose any */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max > 1048576 ? 1048576 : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Segments that nobody writes hold what their file holds; those with relocations are writable segments, and stay. */
static int drop_pages(struct dl_phdr_info *object, size_t size, void *ctx)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)ctx;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t first = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            madvise((void *)first, end - first, MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr): addresses are numbers in ELF */
    }
    return 0;
}

void host_trim_memory(void)
{
    malloc_trim(0);
    dl_iterate_phdr(drop_pages, NULL);
}

/* --- what the process takes: proc(5), as a process sees itself --- */

static uint64_t count_handles(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (dir == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* the directory itself */
}

/* Field 22 of stat: when it began, in clock ticks since the boot. The name before it may hold anything but ends with the last ')'. */
static double started_wall_s(void)
{
    cleanup_buf struct buf text = {0};
    struct timespec wall, boot;
    unsigned long long ticks;
    if (file_read("/proc/self/stat", PROC_FILE_BYTES, &text, NULL) < 0 || text.size == 0)
        return 0;
    const char *at = strrchr((const char *)text.data, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL || sscanf(at, " %llu", &ticks) != 1 || clock_gettime(CLOCK_REALTIME, &wall) < 0 ||
        clock_gettime(CLOCK_BOOTTIME, &boot) < 0)
        return 0;
    double booted_s = (double)wall.tv_sec - (double)boot.tv_sec + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    return booted_s + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void read_memory(struct host_usage *out)
{
    cleanup_buf struct buf text = {0};
    unsigned long long pages, resident;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    if (file_read("/proc/self/statm", PROC_FILE_BYTES, &text, NULL) < 0 || text.size == 0 ||
        sscanf((const char *)text.data, "%llu %llu", &pages, &resident) != 2)
        return;
    out->virtual_bytes = pages * page_bytes;
    out->resident_bytes = resident * page_bytes;
}

void host_usage(struct host_usage *out)
{
    struct rlimit limit;
    struct timespec cpu;
    *out = (struct host_usage){.open_handles_count = count_handles(), .started_wall_s = started_wall_s()};
    read_memory(out);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out->open_handles_most_count = limit.rlim_cur;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        out->cpu_s = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
}
