#include "data/mapped.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/memory.h"

/* What a thread reads at the moment, and where it goes on if that is not there. */
typedef struct mapped_guard {
    uintptr_t begin, end;
    sigjmp_buf back;
} mapped_guard;

static _Thread_local mapped_guard *volatile guard;
static struct sigaction before; /* written once, before the handler that reads it is set */

/* Not if somebody sent the signal, or if the system tells of broken memory that nobody wanted. */
static bool is_access(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
}

static void hand_on(int signal, siginfo_t *info, void *context)
{
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    } else if (before.sa_handler == SIG_DFL || is_access(info)) { /* no access can be ignored */
        struct sigaction fatal = {.sa_handler = SIG_DFL};
        sigaction(signal, &fatal, NULL);
        if (!is_access(info)) /* none will be tried again */
            raise(signal);
    }
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
    mapped_guard *mine = guard;
    uintptr_t at = (uintptr_t)info->si_addr;
    if (is_access(info) && mine && at >= mine->begin && at < mine->end) {
        guard = NULL;
        /* The mask as it was before the signal: to keep it with each guard would be a system call. */
        pthread_sigmask(SIG_SETMASK, &((const ucontext_t *)context)->uc_sigmask, NULL);
        siglongjmp(mine->back, 1);
    }
    hand_on(signal, info, context);
}

static void set_handler(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &before) == 0)
        sigaction(SIGBUS, &action, NULL);
}

/* File systems of this machine's disks and memory that keep their files' bytes in the page cache and nowhere else. Of
 * others (NFS, FUSE and what is built on it) a page that is read in place may come with a journey of its own. */
static bool is_local(int fd)
{
    enum { XFS = 0x58465342 };
    static const unsigned long known[] = {EXT4_SUPER_MAGIC, XFS,         BTRFS_SUPER_MAGIC,    F2FS_SUPER_MAGIC,
                                          TMPFS_MAGIC,      RAMFS_MAGIC, OVERLAYFS_SUPER_MAGIC};
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((unsigned long)status.f_type == known[i])
            return true;
    return false;
}

struct hq_mapped {
    uint8_t *bytes;
    size_t size;
    atomic_uint_fast64_t used; /* since all was let go */
};

hq_mapped *mapped_open(int fd, uint64_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct rlimit space;
    if (size == 0 || size > SIZE_MAX / 2 || getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur != RLIM_INFINITY ||
        !is_local(fd))
        return NULL;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        return NULL;
    pthread_once(&once, set_handler);
    hq_mapped *mapped = hq_calloc(1, sizeof *mapped);
    mapped->bytes = bytes;
    mapped->size = size;
    return mapped;
}

void mapped_close(hq_mapped **mapped_p)
{
    if (!*mapped_p)
        return;
    munmap((*mapped_p)->bytes, (*mapped_p)->size);
    free(*mapped_p);
    *mapped_p = NULL;
}

const uint8_t *mapped_bytes(const hq_mapped *mapped)
{
    return mapped->bytes;
}

bool mapped_is_at_hand(int fd, uint64_t offset)
{
    uint8_t byte;
    struct iovec one = {&byte, 1};
    ssize_t got = preadv2(fd, &one, 1, (off_t)offset, RWF_NOWAIT);
    return got == 1 || (got < 0 && errno == EOPNOTSUPP); /* file systems in memory need not know the flag */
}

bool mapped_use(const uint8_t *from, size_t size, mapped_work *work, void *context)
{
    mapped_guard mine = {.begin = (uintptr_t)from, .end = (uintptr_t)from + size};
    if (sigsetjmp(mine.back, 0) != 0)
        return false;
    guard = &mine;
    work(context);
    guard = NULL;
    return true;
}

void mapped_rest(hq_mapped *mapped)
{
    if (atomic_exchange(&mapped->used, 0) > 0)
        madvise(mapped->bytes, mapped->size, MADV_DONTNEED);
}

void mapped_used(hq_mapped *mapped, uint64_t bytes)
{
    if (atomic_fetch_add(&mapped->used, bytes) + bytes > MAPPED_HELD)
        mapped_rest(mapped);
}
