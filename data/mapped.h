/* data/mapped.h - inside the room: a file of this machine as memory.
 *
 * A mapped file is read without copying it first, but what is read may be gone: somebody truncated the file, or its
 * disk failed. Then the system sends SIGBUS, which by itself ends the process. Whatever reads mapped bytes therefore
 * runs in mapped_use, which catches the signal and gives up the work. The handler is the process's, set when the first
 * file is mapped; a SIGBUS for any other address goes on to the handler that was there before, or ends the process as
 * ever.
 *
 * If somebody writes to the file, what was read once may be something else the next time. So nobody trusts mapped bytes
 * because they were checked before: what is checked for memory's sake is copied first, or checked where it is used.
 *
 * Any number of threads.
 */
#ifndef HQ_DATA_MAPPED_H
#define HQ_DATA_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole file, to be read. NULL if it is not to be mapped: it is empty, lies on a file system whose bytes come over
 * a network or from another process, the process's address space is limited, or the system refuses. */
typedef struct hq_mapped hq_mapped;
hq_mapped *mapped_open(int fd, uint64_t size);
void mapped_close(hq_mapped **mapped_p);
const uint8_t *mapped_bytes(const hq_mapped *mapped);

/* True if the byte at the offset is in the page cache, so that a mapping gives it at once: reading from a disk is
 * better done by pread, which asks for much at a time. */
bool mapped_is_at_hand(int fd, uint64_t offset);

/* Runs work, which may read size mapped bytes from there on, and gives false if it did not come to its end because they
 * could not be had. Work holds no locks, and owns nothing that only its own variables know; what it was changing is
 * left in the middle of the change. Not to be nested. */
typedef void mapped_work(void *context);
bool mapped_use(const uint8_t *from, size_t size, mapped_work *work, void *context);

/* So many bytes more were used. The process holds on to pages that it has used, because those near to each other are
 * mapped together and others will ask for the neighbours; after MAPPED_HELD bytes it lets all go, and the page cache
 * has them still. */
enum { MAPPED_HELD = 32 << 20 };
void mapped_used(hq_mapped *mapped, uint64_t bytes);
/* Lets all go now. */
void mapped_rest(hq_mapped *mapped);

#endif
