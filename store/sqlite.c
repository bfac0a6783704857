/* SQLite: one file for one machine, which several processes may share. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/backend.h"

enum {
    APPLICATION_ID = 0x68717374, /* "hqst", in the file's head: a file that is not hq's is never written to */
    SCHEMA_VERSION = 1
};

typedef struct sqlite_store {
    hq_store base;
    sqlite3 *db;
    char *path;
} sqlite_store;

static hq_error fail(const sqlite_store *store, const char *what, hq_reason *reason)
{
    int code = sqlite3_errcode(store->db);
    const char *text = sqlite3_errmsg(store->db);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return hq_fail(reason, HQ_EUNAVAILABLE, "%s: %s: another process kept %s locked for too long", store->path,
                       what, store->path);
    case SQLITE_NOTADB:
        return hq_fail(reason, HQ_EFORMAT, "%s is not an SQLite file; name another for the store", store->path);
    case SQLITE_CORRUPT:
        return hq_fail(reason, HQ_EFORMAT,
                       "%s is damaged (%s): move it away and hq makes a new one; only results kept for reuse are lost",
                       store->path, text);
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM:
        return hq_fail(reason, HQ_ELIMIT, "%s: %s: %s", store->path, what, text);
    default:
        return hq_fail(reason, HQ_EIO, "%s: %s: %s", store->path, what, text);
    }
}

static hq_error run(sqlite_store *store, const char *sql, const char *what, hq_reason *reason)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? HQ_OK : fail(store, what, reason);
}

static hq_error number(sqlite_store *store, const char *sql, int64_t *number_r, hq_reason *reason)
{
    sqlite3_stmt *statement = NULL;
    hq_error error = HQ_OK;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        *number_r = sqlite3_column_int64(statement, 0);
    else
        error = fail(store, "opening", reason);
    sqlite3_finalize(statement);
    return error;
}

/* --- opening --- */

/* Whether the file is ours, or still empty. Only reads. */
static hq_error check_identity(sqlite_store *store, bool *is_empty_r, hq_reason *reason)
{
    int64_t application = 0, version = 0, objects = 0;
    hq_error error = number(store, "PRAGMA application_id", &application, reason);
    if (error == HQ_OK)
        error = number(store, "PRAGMA user_version", &version, reason);
    if (error == HQ_OK)
        error = number(store, "SELECT count(*) FROM sqlite_schema", &objects, reason);
    if (error != HQ_OK)
        return error;
    *is_empty_r = application == 0 && version == 0 && objects == 0;
    if (*is_empty_r)
        return HQ_OK;
    if (application != APPLICATION_ID)
        return hq_fail(reason, HQ_EFORMAT, "%s is an SQLite file of another program; name another for the store",
                       store->path);
    if (version != SCHEMA_VERSION)
        return hq_fail(reason, HQ_EMISMATCH,
                       "%s was made by another version of hq (its schema is %lld, this one's %d): move it away or name "
                       "another file",
                       store->path, (long long)version, SCHEMA_VERSION);
    return HQ_OK;
}

/* In one look, between whose parts no other process makes the file its own. */
static hq_error look_at_identity(sqlite_store *store, bool *is_empty_r, hq_reason *reason)
{
    hq_error error = run(store, "BEGIN", "opening", reason);
    if (error != HQ_OK)
        return error;
    error = check_identity(store, is_empty_r, reason);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    return error;
}

static hq_error make_schema(sqlite_store *store, hq_reason *reason)
{
    bool is_empty;
    char *sql =
        hq_format("CREATE TABLE results (id TEXT PRIMARY KEY, expires INTEGER NOT NULL, document BLOB NOT NULL);"
                  "CREATE TABLE queries (id TEXT PRIMARY KEY, expires INTEGER NOT NULL, document BLOB NOT NULL);"
                  "CREATE TABLE partials (id TEXT PRIMARY KEY, program TEXT NOT NULL, expires INTEGER NOT NULL,"
                  " bytes BLOB NOT NULL);"
                  "CREATE INDEX results_expires ON results (expires);"
                  "CREATE INDEX partials_expires ON partials (expires);"
                  "CREATE INDEX partials_program ON partials (program);"
                  "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                  APPLICATION_ID, SCHEMA_VERSION);
    hq_error error = run(store, "BEGIN IMMEDIATE", "making the tables", reason);
    if (error == HQ_OK)
        error = check_identity(store, &is_empty, reason); /* another process may have been faster */
    if (error == HQ_OK && is_empty)
        error = run(store, sql, "making the tables", reason);
    if (error == HQ_OK)
        error = run(store, "COMMIT", "making the tables", reason);
    if (error != HQ_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    free(sql);
    return error;
}

/* WAL lets readers and a writer of several processes go on side by side. Changing to it wants the file for itself for a
 * moment, and SQLite does not always wait for that as busy_timeout says. A file system on which WAL does not work
 * leaves the old way, which is right too. */
static hq_error use_wal(sqlite_store *store, hq_reason *reason)
{
    int64_t end_ms = hq_now_ms() + store->base.timeout_ms;
    int code;
    do {
        code = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code != SQLITE_BUSY)
            break;
        sqlite3_sleep(5);
    } while (hq_now_ms() < end_ms);
    if (code != SQLITE_OK)
        return fail(store, "opening", reason);
    return run(store, "PRAGMA synchronous = NORMAL", "opening", reason);
}

static hq_error make_directories(const char *path, hq_reason *reason)
{
    char *copy = hq_strdup(path);
    hq_error error = HQ_OK;
    for (char *slash = strchr(copy + 1, '/'); slash && error == HQ_OK; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            error = hq_fail(reason, HQ_EIO, "the directory %s for the store cannot be made: %s", copy, strerror(errno));
        *slash = '/';
    }
    free(copy);
    return error;
}

/* What files of earlier days lack. Looked for first, as making it takes the lock of writers. */
static hq_error add_tables(sqlite_store *store, hq_reason *reason)
{
    int64_t found = 0;
    hq_error error = number(
        store, "SELECT count(*) FROM sqlite_schema WHERE name IN ('plans_expires', 'datasets', 'bodies_expires')",
        &found, reason);
    if (error == HQ_OK && found < 3)
        error = run(store,
                    "CREATE TABLE IF NOT EXISTS plans (id TEXT PRIMARY KEY, expires INTEGER NOT NULL,"
                    " bytes BLOB NOT NULL);"
                    "CREATE INDEX IF NOT EXISTS plans_expires ON plans (expires);"
                    "CREATE TABLE IF NOT EXISTS datasets (id TEXT PRIMARY KEY, expires INTEGER NOT NULL,"
                    " document BLOB NOT NULL);"
                    "CREATE TABLE IF NOT EXISTS bodies (id TEXT PRIMARY KEY, expires INTEGER NOT NULL,"
                    " document BLOB NOT NULL);"
                    "CREATE INDEX IF NOT EXISTS bodies_expires ON bodies (expires);",
                    "making the tables", reason);
    return error;
}

static void sqlite_store_close(hq_store *base)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_close(store->db);
    free(store->path);
    free(store);
}

static hq_error sqlite_prepare(hq_store *base, hq_reason *reason)
{
    bool is_empty;
    return check_identity((sqlite_store *)base, &is_empty, reason);
}

/* --- statements --- */

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

/* SQLite takes a NULL pointer for NULL, not for no bytes. */
static void bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t size)
{
    sqlite3_bind_blob64(statement, at, size ? bytes : "", size, SQLITE_STATIC);
}

static hq_error prepare_statement(sqlite_store *store, const char *sql, sqlite3_stmt **statement_r, const char *what,
                                  hq_reason *reason)
{
    *statement_r = NULL;
    return sqlite3_prepare_v2(store->db, sql, -1, statement_r, NULL) == SQLITE_OK ? HQ_OK : fail(store, what, reason);
}

/* A statement with the collection's table between its two parts. */
static hq_error prepare_for(sqlite_store *store, hq_collection collection, const char *before, const char *after,
                            sqlite3_stmt **statement_r, const char *what, hq_reason *reason)
{
    char *sql = hq_format("%s %s %s", before, collection_name(collection), after);
    hq_error error = prepare_statement(store, sql, statement_r, what, reason);
    free(sql);
    return error;
}

static hq_error sqlite_get(hq_store *base, hq_collection from, const char *key, int64_t now_ms, bson_t **document_r,
                           hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_for(store, from, "SELECT document FROM", "WHERE id = ?1 AND (expires = 0 OR expires > ?2)",
                                 &statement, "reading a document", reason);
    if (error != HQ_OK)
        return error;
    bind_text(statement, 1, key);
    sqlite3_bind_int64(statement, 2, now_ms);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        bson_t *document = bytes ? bson_new_from_data(bytes, size) : NULL;
        if (document && bson_validate(document, BSON_VALIDATE_NONE, NULL)) {
            *document_r = document;
        } else {
            if (document)
                bson_destroy(document);
            /* As if it were not there: it is computed again and replaced. */
            store_found_bad(base, collection_name(from), key, "it is not BSON");
            code = SQLITE_DONE;
        }
    }
    if (code == SQLITE_DONE)
        error = hq_fail(reason, HQ_ENOTFOUND, "no %s in %s of %s", key, collection_name(from), store->path);
    else if (code != SQLITE_ROW)
        error = fail(store, "reading a document", reason);
    sqlite3_finalize(statement);
    return error;
}

static hq_error sqlite_put(hq_store *base, hq_collection into, const char *key, const bson_t *document,
                           int64_t expires_ms, hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_for(store, into, "INSERT OR REPLACE INTO", "VALUES (?, ?, ?)", &statement,
                                 "writing a document", reason);
    if (error != HQ_OK)
        return error;
    bind_text(statement, 1, key);
    sqlite3_bind_int64(statement, 2, expires_ms);
    bind_bytes(statement, 3, bson_get_data(document), document->len);
    if (sqlite3_step(statement) != SQLITE_DONE)
        error = fail(store, "writing a document", reason);
    sqlite3_finalize(statement);
    return error;
}

/* A pack that is there already counts as done; should it be near its end, or past it, its time begins anew. */
static hq_error insert_packs(sqlite_store *store, sqlite3_stmt *statement, const hq_pack *packs, size_t count,
                             int64_t expires_ms, hq_reason *reason)
{
    for (size_t i = 0; i < count; i++) {
        bind_text(statement, 1, packs[i].id);
        bind_text(statement, 2, packs[i].program);
        sqlite3_bind_int64(statement, 3, expires_ms);
        bind_bytes(statement, 4, packs[i].payload.bytes, packs[i].payload.size);
        if (sqlite3_step(statement) != SQLITE_DONE)
            return fail(store, "writing partials", reason);
        sqlite3_reset(statement);
    }
    return HQ_OK;
}

static hq_error sqlite_put_packs(hq_store *base, const hq_pack *packs, size_t count, int64_t now_ms, int64_t expires_ms,
                                 hq_reason *reason)
{
    (void)now_ms;
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_statement(store,
                                       "INSERT INTO partials VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                                       "expires = max(expires, excluded.expires)",
                                       &statement, "writing partials", reason);
    if (error != HQ_OK)
        return error;
    error = run(store, "BEGIN IMMEDIATE", "writing partials", reason);
    if (error == HQ_OK)
        error = insert_packs(store, statement, packs, count, expires_ms, reason);
    sqlite3_finalize(statement);
    if (error == HQ_OK)
        error = run(store, "COMMIT", "writing partials", reason);
    if (error != HQ_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return error;
}

static hq_error sqlite_each_pack(hq_store *base, const char *program, int64_t now_ms, hq_pack_each *each, void *context,
                                 hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_statement(store, "SELECT id, bytes FROM partials WHERE program = ? AND expires > ?",
                                       &statement, "reading partials", reason);
    if (error != HQ_OK)
        return error;
    bind_text(statement, 1, program);
    sqlite3_bind_int64(statement, 2, now_ms);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(statement, 1);
        const char *id = (const char *)sqlite3_column_text(statement, 0);
        each(context, id ? id : "?", bytes, (size_t)sqlite3_column_bytes(statement, 1));
    }
    if (code != SQLITE_DONE)
        error = fail(store, "reading partials", reason);
    sqlite3_finalize(statement);
    return error;
}

/* --- plans --- */

static hq_error replace_plans(sqlite_store *store, sqlite3_stmt *statement, const hq_record *records, size_t count,
                              int64_t expires_ms, hq_reason *reason)
{
    for (size_t i = 0; i < count; i++) {
        char id[HQ_HASH_TEXT];
        hash_to_text(&records[i].key, id);
        bind_text(statement, 1, id);
        sqlite3_bind_int64(statement, 2, expires_ms);
        bind_bytes(statement, 3, records[i].bytes, records[i].size);
        if (sqlite3_step(statement) != SQLITE_DONE)
            return fail(store, "writing plans", reason);
        sqlite3_reset(statement);
    }
    return HQ_OK;
}

static hq_error sqlite_put_plans(hq_store *base, const hq_record *records, size_t count, int64_t expires_ms,
                                 hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_statement(store, "INSERT OR REPLACE INTO plans VALUES (?, ?, ?)", &statement,
                                       "writing plans", reason);
    if (error != HQ_OK)
        return error;
    error = run(store, "BEGIN IMMEDIATE", "writing plans", reason);
    if (error == HQ_OK)
        error = replace_plans(store, statement, records, count, expires_ms, reason);
    sqlite3_finalize(statement);
    if (error == HQ_OK)
        error = run(store, "COMMIT", "writing plans", reason);
    if (error != HQ_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return error;
}

static hq_error find_plans(sqlite_store *store, sqlite3_stmt *statement, const hq_hash *keys, size_t count,
                           hq_store_plan *each, void *context, hq_reason *reason)
{
    for (size_t i = 0; i < count; i++) {
        char id[HQ_HASH_TEXT];
        hash_to_text(&keys[i], id);
        bind_text(statement, 1, id);
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            hq_record record = {.key = keys[i], .bytes = sqlite3_column_blob(statement, 0)};
            record.size = (uint32_t)sqlite3_column_bytes(statement, 0);
            each(context, &record);
        } else if (code != SQLITE_DONE) {
            return fail(store, "reading plans", reason);
        }
        sqlite3_reset(statement);
    }
    return HQ_OK;
}

static hq_error sqlite_get_plans(hq_store *base, const hq_hash *keys, size_t count, int64_t now_ms, hq_store_plan *each,
                                 void *context, hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_statement(store, "SELECT bytes FROM plans WHERE id = ?1 AND expires > ?2", &statement,
                                       "reading plans", reason);
    if (error != HQ_OK)
        return error;
    sqlite3_bind_int64(statement, 2, now_ms);
    error = run(store, "BEGIN", "reading plans", reason); /* one lock for all */
    if (error == HQ_OK)
        error = find_plans(store, statement, keys, count, each, context, reason);
    sqlite3_finalize(statement);
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    return error;
}

/* --- what there is --- */

/* A row of id, expires, size and, where there is one, document. */
static void give_row(sqlite_store *store, hq_collection from, sqlite3_stmt *statement, hq_store_listed *each,
                     void *context)
{
    const char *id = (const char *)sqlite3_column_text(statement, 0);
    hq_stored stored = {.id = id ? id : "?",
                        .expires_ms = sqlite3_column_int64(statement, 1),
                        .bytes = sqlite3_column_int64(statement, 2)};
    const void *bytes = sqlite3_column_blob(statement, 3);
    bson_t document;
    if (bytes && (!bson_init_static(&document, bytes, (size_t)sqlite3_column_bytes(statement, 3)) ||
                  !bson_validate(&document, BSON_VALIDATE_NONE, NULL))) {
        store_found_bad(&store->base, collection_name(from), stored.id, "it is not BSON");
        return;
    }
    stored.document = bytes ? &document : NULL;
    each(context, &stored);
}

static hq_error sqlite_list(hq_store *base, hq_collection from, int64_t now_ms, size_t limit, hq_store_listed *each,
                            void *context, hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    static const char documents[] = "SELECT id, expires, length(document), document FROM",
                      parts[] = "SELECT id, expires, length(bytes), NULL FROM",
                      packs[] = "SELECT program, expires, length(bytes), NULL FROM";
    const char *before = from == HQ_COLLECTION_PARTIALS ? packs : from == HQ_COLLECTION_PLANS ? parts : documents;
    /* A row that is written anew gets a new number: the greatest is the newest. */
    const char *after = from == HQ_COLLECTION_DATASETS ? "WHERE expires = 0 OR expires > ? ORDER BY id LIMIT ?"
                                                       : "WHERE expires = 0 OR expires > ? ORDER BY rowid DESC LIMIT ?";
    hq_error error = prepare_for(store, from, before, after, &statement, "listing", reason);
    if (error != HQ_OK)
        return error;
    sqlite3_bind_int64(statement, 1, now_ms);
    sqlite3_bind_int64(statement, 2, limit && limit < INT64_MAX ? (int64_t)limit : -1);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        give_row(store, from, statement, each, context);
    if (code != SQLITE_DONE)
        error = fail(store, "listing", reason);
    sqlite3_finalize(statement);
    return error;
}

static hq_error sqlite_get_expiry(hq_store *base, hq_collection from, const char *id, int64_t now_ms,
                                  int64_t *expires_ms_r, hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    hq_error error = prepare_for(store, from, "SELECT expires FROM", "WHERE id = ?1 AND (expires = 0 OR expires > ?2)",
                                 &statement, "listing", reason);
    if (error != HQ_OK)
        return error;
    bind_text(statement, 1, id);
    sqlite3_bind_int64(statement, 2, now_ms);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *expires_ms_r = sqlite3_column_int64(statement, 0);
    else if (code == SQLITE_DONE)
        error = hq_fail(reason, HQ_ENOTFOUND, "no %s in %s of %s", id, collection_name(from), store->path);
    else
        error = fail(store, "listing", reason);
    sqlite3_finalize(statement);
    return error;
}

static hq_error sqlite_remove(hq_store *base, hq_collection from, const char *id, uint64_t *removed_r,
                              hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    sqlite3_stmt *statement;
    const char *after = !id ? "" : from == HQ_COLLECTION_PARTIALS ? "WHERE program = ?" : "WHERE id = ?";
    hq_error error = prepare_for(store, from, "DELETE FROM", after, &statement, "removing", reason);
    if (error != HQ_OK)
        return error;
    if (id)
        bind_text(statement, 1, id);
    if (sqlite3_step(statement) == SQLITE_DONE)
        *removed_r = (uint64_t)sqlite3_changes(store->db);
    else
        error = fail(store, "removing", reason);
    sqlite3_finalize(statement);
    return error;
}

static hq_error remove_expired(sqlite_store *store, const char *sql, int64_t now_ms, uint64_t *removed_r,
                               hq_reason *reason)
{
    sqlite3_stmt *statement;
    hq_error error = prepare_statement(store, sql, &statement, "sweeping", reason);
    if (error != HQ_OK)
        return error;
    sqlite3_bind_int64(statement, 1, now_ms);
    if (sqlite3_step(statement) == SQLITE_DONE)
        *removed_r += (uint64_t)sqlite3_changes(store->db);
    else
        error = fail(store, "sweeping", reason);
    sqlite3_finalize(statement);
    return error;
}

static hq_error sqlite_sweep(hq_store *base, int64_t now_ms, uint64_t *removed_r, hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    hq_error error = remove_expired(store, "DELETE FROM results WHERE expires <= ?", now_ms, removed_r, reason);
    if (error == HQ_OK)
        error = remove_expired(store, "DELETE FROM partials WHERE expires <= ?", now_ms, removed_r, reason);
    if (error == HQ_OK)
        error = remove_expired(store, "DELETE FROM plans WHERE expires <= ?", now_ms, removed_r, reason);
    if (error == HQ_OK)
        error = remove_expired(store, "DELETE FROM bodies WHERE expires <= ?", now_ms, removed_r, reason);
    return error;
}

static hq_error sqlite_flush(hq_store *base, hq_reason *reason)
{
    sqlite_store *store = (sqlite_store *)base;
    hq_error error = run(store, "BEGIN IMMEDIATE; DELETE FROM results; DELETE FROM partials; DELETE FROM plans; COMMIT",
                         "flushing", reason);
    if (error != HQ_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return error;
}

hq_error sqlite_open(const char *path, int timeout_ms, hq_store **store_r, hq_reason *reason)
{
    static const hq_store_class class = {
        sqlite_store_close, sqlite_prepare,   sqlite_get,       sqlite_put,  sqlite_put_packs,
        sqlite_each_pack,   sqlite_put_plans, sqlite_get_plans, sqlite_list, sqlite_get_expiry,
        sqlite_remove,      sqlite_sweep,     sqlite_flush,
    };
    bool is_empty = false, is_memory = strcmp(path, ":memory:") == 0;
    sqlite_store *store = hq_calloc(1, sizeof *store);
    store->base = (hq_store){.class = &class, .timeout_ms = timeout_ms};
    store->path = hq_strdup(path);
    hq_error error = is_memory ? HQ_OK : make_directories(path, reason);
    /* A store belongs to one thread at a time, so SQLite needs no lock of its own. */
    if (error == HQ_OK &&
        sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK)
        error = fail(store, "opening", reason);
    if (error == HQ_OK) {
        sqlite3_busy_timeout(store->db, timeout_ms);
        error = look_at_identity(store, &is_empty, reason);
    }
    if (error == HQ_OK)
        error = use_wal(store, reason);
    if (error == HQ_OK && is_empty)
        error = make_schema(store, reason);
    if (error == HQ_OK)
        error = add_tables(store, reason);
    if (error == HQ_OK)
        *store_r = &store->base;
    else
        sqlite_store_close(&store->base);
    return error;
}
