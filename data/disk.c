#include "data/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/diskfile.h"
#include "reader_print.h"

enum {
    STALE_S = 600,     /* a file under a passing name that old was left by a worker that died */
    PAUSE_MS = 30000,  /* after a folder took no more */
    SURVEY_MS = 10000, /* others may write there too */
    SHARE_FREED = 10   /* of the limit, when room is needed: one tenth */
};

static const char suffix[] = ".hqcolumn1"; /* with the version of the format */
static const char passing[] = ".hqpart";

/* A column that waits to be written. */
typedef struct errand {
    struct errand *next;
    hq_cache *cache;
    hq_cache_entry *entry;
    hq_cache_key key; /* texts are its own */
} errand;

struct hq_disk {
    char *folder;
    int fd; /* of the folder */
    size_t queue_limit;
    pthread_t writer;

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    errand *first, **last;
    size_t queue_bytes;
    bool is_writing, is_closing;
    hq_disk_counts counts;

    uint64_t serial; /* the writer's, as what follows */
    int64_t surveyed_ms, paused_until_ms;
    uint64_t random;
};

/* --- names --- */

enum { NAME_BYTES = HQ_HASH_TEXT + sizeof suffix };

static void name_of(const hq_cache_key *key, char name_r[NAME_BYTES])
{
    hq_hasher *hasher = hasher_new();
    hasher_add_text(hasher, HQ_READER_PRINT);
    hasher_add(hasher, key->file.bytes, sizeof key->file.bytes);
    hasher_add_text(hasher, key->tree ? key->tree : "");
    hasher_add_text(hasher, key->column);
    hasher_add_u64(hasher, key->first);
    hasher_add_u64(hasher, key->last);
    hq_hash hash = hasher_end(&hasher);
    hash_to_text(&hash, name_r);
    memcpy(name_r + HQ_HASH_TEXT - 1, suffix, sizeof suffix);
}

static bool is_column(const char *name)
{
    char digits[HQ_HASH_TEXT];
    hq_hash hash;
    if (strlen(name) != HQ_HASH_TEXT - 1 + sizeof suffix - 1 || strcmp(name + HQ_HASH_TEXT - 1, suffix) != 0)
        return false;
    memcpy(digits, name, HQ_HASH_TEXT - 1);
    digits[HQ_HASH_TEXT - 1] = 0;
    return hash_from_text(digits, &hash) == 0;
}

static bool is_passing(const char *name)
{
    size_t length = strlen(name), end = sizeof passing - 1;
    return name[0] == '.' && length > end && strcmp(name + length - end, passing) == 0;
}

/* --- the folder --- */

typedef struct listed {
    char name[NAME_BYTES];
    uint64_t size;
} listed;

typedef struct survey {
    listed *files;
    size_t count, capacity;
    uint64_t bytes;
} survey;

/* All columns there; what workers that died left half written is deleted. */
static bool look_round(hq_disk *disk, survey *survey_r)
{
    *survey_r = (survey){0};
    int fd = openat(disk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(folder));) {
        struct stat status;
        bool is_ours = is_column(entry->d_name);
        if ((!is_ours && !is_passing(entry->d_name)) ||
            fstatat(disk->fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
            continue;
        if (!is_ours) {
            if (status.st_mtime + STALE_S < time(NULL))
                unlinkat(disk->fd, entry->d_name, 0);
            continue;
        }
        HQ_GROW(survey_r->files, survey_r->count, survey_r->capacity);
        listed *file = &survey_r->files[survey_r->count++];
        memcpy(file->name, entry->d_name, strlen(entry->d_name) + 1); /* is_column knows its length */
        file->size = (uint64_t)status.st_size;
        survey_r->bytes += file->size;
    }
    closedir(folder);
    disk->surveyed_ms = hq_now_ms();
    return true;
}

static void set_bytes(hq_disk *disk, uint64_t bytes, uint64_t evicted)
{
    pthread_mutex_lock(&disk->lock);
    disk->counts.bytes = bytes;
    disk->counts.evicted += evicted;
    pthread_mutex_unlock(&disk->lock);
}

/* The writer's: true if there is room for a file of that size, now that some have gone. */
static bool make_room(hq_disk *disk, uint64_t size)
{
    uint64_t limit = disk->counts.limit_bytes;
    pthread_mutex_lock(&disk->lock);
    uint64_t bytes = disk->counts.bytes;
    pthread_mutex_unlock(&disk->lock);
    bool fits = size <= limit && bytes <= limit - size;
    if (size > limit || (fits && hq_now_ms() - disk->surveyed_ms < SURVEY_MS))
        return fits;
    survey all;
    if (!look_round(disk, &all))
        return false;
    uint64_t evicted = 0, wanted = limit - size;
    if (all.bytes > wanted) {
        wanted = wanted > limit / SHARE_FREED ? wanted - limit / SHARE_FREED : 0;
        for (size_t left = all.count; left > 0 && all.bytes > wanted; left--) {
            disk->random = hash_mix(disk->random + 0x9e3779b97f4a7c15u);
            listed *drawn = &all.files[disk->random % left];
            bool is_gone = unlinkat(disk->fd, drawn->name, 0) == 0;
            evicted += is_gone;
            if (is_gone || errno == ENOENT) /* another worker may have been faster */
                all.bytes -= drawn->size;
            *drawn = all.files[left - 1];
        }
    }
    set_bytes(disk, all.bytes, evicted);
    free(all.files);
    return all.bytes <= limit - size;
}

/* --- writing --- */

static void errand_free(errand *e)
{
    cache_release(e->cache, &e->entry);
    free((char *)e->key.tree);
    free((char *)e->key.column);
    free(e);
}

/* True if the column is there now. */
static bool write_file(hq_disk *disk, const errand *e, const char *name, uint64_t *size_r)
{
    char part[80];
    snprintf(part, sizeof part, ".%ld-%016" PRIx64 "%s", (long)getpid(), disk->random + disk->serial++, passing);
    int fd = openat(disk->fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool is_whole = fd >= 0 && diskfile_write(fd, &e->key, cache_entry_column(e->entry), size_r);
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && is_whole) {
        is_whole = false;
        why = errno;
    }
    if (is_whole && renameat(disk->fd, part, disk->fd, name) != 0) {
        is_whole = false;
        why = errno;
    }
    if (is_whole)
        return true;
    if (fd >= 0)
        unlinkat(disk->fd, part, 0);
    disk->paused_until_ms = hq_now_ms() + PAUSE_MS;
    hq_log(HQ_LOG_WARN, "data", "%s: no columns are kept there for %d s: %s", disk->folder, PAUSE_MS / 1000,
           strerror(why));
    return false;
}

static void run_errand(hq_disk *disk, const errand *e)
{
    char name[NAME_BYTES];
    uint64_t size = diskfile_size(&e->key, cache_entry_column(e->entry));
    name_of(&e->key, name);
    bool is_there = faccessat(disk->fd, name, F_OK, 0) == 0; /* another worker wrote it */
    bool is_written = !is_there && hq_now_ms() >= disk->paused_until_ms && make_room(disk, size) &&
                      write_file(disk, e, name, &size);
    pthread_mutex_lock(&disk->lock);
    disk->counts.written += is_written;
    disk->counts.bytes += is_written ? size : 0;
    disk->counts.skipped += !is_written && !is_there;
    pthread_mutex_unlock(&disk->lock);
}

static void *run_writer(void *context)
{
    hq_disk *disk = context;
    pthread_mutex_lock(&disk->lock);
    while (disk->first || !disk->is_closing) {
        errand *e = disk->first;
        if (!e) {
            pthread_cond_wait(&disk->changed, &disk->lock);
            continue;
        }
        disk->first = e->next;
        disk->is_writing = true;
        pthread_mutex_unlock(&disk->lock);
        run_errand(disk, e);
        size_t bytes = cache_entry_column(e->entry)->bytes;
        errand_free(e);
        pthread_mutex_lock(&disk->lock);
        disk->queue_bytes -= bytes;
        disk->is_writing = false;
        pthread_cond_broadcast(&disk->changed);
    }
    pthread_mutex_unlock(&disk->lock);
    return NULL;
}

void disk_put(hq_disk *disk, hq_cache *cache, const hq_cache_key *key, hq_cache_entry *entry)
{
    size_t bytes = cache_entry_column(entry)->bytes;
    pthread_mutex_lock(&disk->lock);
    bool is_taken = disk->queue_bytes + bytes <= disk->queue_limit;
    if (is_taken) {
        errand *e = hq_calloc(1, sizeof *e);
        *e = (errand){.cache = cache, .entry = cache_hold(cache, entry), .key = *key};
        e->key.tree = hq_strdup(key->tree);
        e->key.column = hq_strdup(key->column);
        disk->queue_bytes += bytes;
        *(disk->first ? disk->last : &disk->first) = e;
        disk->last = &e->next;
        pthread_cond_broadcast(&disk->changed);
    } else {
        disk->counts.skipped++;
    }
    pthread_mutex_unlock(&disk->lock);
}

void disk_flush(hq_disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    while (disk->first || disk->is_writing)
        pthread_cond_wait(&disk->changed, &disk->lock);
    pthread_mutex_unlock(&disk->lock);
}

/* --- reading --- */

hq_column *disk_get(hq_disk *disk, const hq_cache_key *key, size_t limit)
{
    char name[NAME_BYTES];
    name_of(key, name);
    hq_column *column = NULL;
    diskfile_verdict verdict = DISKFILE_NONE;
    uint64_t size = 0;
    int fd = openat(disk->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        verdict = diskfile_read(fd, key, limit, &column, &size);
        close(fd);
    }
    bool is_deleted = verdict == DISKFILE_DAMAGED && unlinkat(disk->fd, name, 0) == 0;
    if (is_deleted)
        hq_log(HQ_LOG_WARN, "data", "%s/%s: damaged, and deleted", disk->folder, name);
    pthread_mutex_lock(&disk->lock);
    disk->counts.hits += column != NULL;
    disk->counts.misses += column == NULL;
    disk->counts.hit_bytes += column ? column->bytes : 0;
    disk->counts.damaged += is_deleted;
    if (is_deleted)
        disk->counts.bytes -= size < disk->counts.bytes ? size : disk->counts.bytes;
    pthread_mutex_unlock(&disk->lock);
    return column;
}

void disk_count(hq_disk *disk, hq_disk_counts *counts_r)
{
    pthread_mutex_lock(&disk->lock);
    *counts_r = disk->counts;
    pthread_mutex_unlock(&disk->lock);
}

/* --- the whole --- */

hq_error disk_open(const char *folder, uint64_t limit_bytes, size_t queue_bytes, hq_disk **disk_r, hq_reason *reason)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return hq_fail(reason, HQ_EIO, "%s: cannot make the folder for columns: %s", folder, strerror(errno));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return hq_fail(reason, HQ_EIO, "%s: cannot open the folder for columns: %s", folder, strerror(errno));
    hq_disk *disk = hq_calloc(1, sizeof *disk);
    hq_hash random = hash_random();
    memcpy(&disk->random, random.bytes, sizeof disk->random);
    disk->folder = hq_strdup(folder);
    disk->fd = fd;
    disk->queue_limit = queue_bytes;
    disk->counts.limit_bytes = limit_bytes;
    pthread_mutex_init(&disk->lock, NULL);
    pthread_cond_init(&disk->changed, NULL);
    survey all;
    if (!look_round(disk, &all))
        hq_log(HQ_LOG_WARN, "data", "%s: cannot be listed: %s", folder, strerror(errno));
    disk->counts.bytes = all.bytes;
    hq_log(HQ_LOG_INFO, "data", "%s: %zu columns, %" PRIu64 " of at most %" PRIu64 " bytes", folder, all.count,
           all.bytes, limit_bytes);
    free(all.files);
    if (pthread_create(&disk->writer, NULL, run_writer, disk) != 0)
        abort(); /* no threads at start-up: there is nothing to run with */
    *disk_r = disk;
    return HQ_OK;
}

void disk_close(hq_disk **disk_p)
{
    hq_disk *disk = *disk_p;
    if (!disk)
        return;
    pthread_mutex_lock(&disk->lock);
    disk->is_closing = true;
    pthread_cond_broadcast(&disk->changed);
    pthread_mutex_unlock(&disk->lock);
    pthread_join(disk->writer, NULL);
    pthread_mutex_destroy(&disk->lock);
    pthread_cond_destroy(&disk->changed);
    close(disk->fd);
    free(disk->folder);
    free(disk);
    *disk_p = NULL;
}
