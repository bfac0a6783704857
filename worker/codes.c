#include "worker/codes.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

struct hq_compiled {
    hq_hash key;
    size_t holders;       /* under the lock of codes */
    uint64_t used_at;     /* likewise */
    pthread_mutex_t lock; /* over what follows, until it is compiled; after that nobody writes it */
    bool was_compiled;
    hq_program *program;
    hq_code *code;
    hq_failure failure;
};

struct hq_codes {
    pthread_mutex_t lock;
    hq_compiled **all;
    size_t count, capacity, keep;
    uint64_t uses;
};

hq_codes *codes_new(size_t keep)
{
    hq_codes *codes = hq_calloc(1, sizeof *codes);
    codes->keep = keep;
    pthread_mutex_init(&codes->lock, NULL);
    return codes;
}

static void compiled_free(hq_compiled *compiled)
{
    code_free(&compiled->code);
    program_free(&compiled->program);
    pthread_mutex_destroy(&compiled->lock);
    free(compiled);
}

void codes_free(hq_codes **codes_p)
{
    hq_codes *codes = *codes_p;
    if (!codes)
        return;
    for (size_t i = 0; i < codes->count; i++)
        compiled_free(codes->all[i]);
    pthread_mutex_destroy(&codes->lock);
    free(codes->all);
    free(codes);
    *codes_p = NULL;
}

static hq_compiled *compiled_new(const hq_hash *key)
{
    hq_compiled *compiled = hq_calloc(1, sizeof *compiled);
    compiled->key = *key;
    compiled->holders = 1;
    pthread_mutex_init(&compiled->lock, NULL);
    return compiled;
}

static hq_compiled *find(const hq_codes *codes, const hq_hash *key)
{
    for (size_t i = 0; i < codes->count; i++)
        if (memcmp(&codes->all[i]->key, key, sizeof *key) == 0)
            return codes->all[i];
    return NULL;
}

hq_compiled *codes_hold(hq_codes *codes, const char *text, const void *schema, size_t schema_size)
{
    hq_hasher *hasher = hasher_new();
    hasher_add_text(hasher, text);
    hasher_add(hasher, schema, schema_size);
    hq_hash key = hasher_end(&hasher);
    if (!codes)
        return compiled_new(&key);
    pthread_mutex_lock(&codes->lock);
    hq_compiled *compiled = find(codes, &key);
    if (compiled) {
        compiled->holders++;
    } else {
        compiled = compiled_new(&key);
        HQ_GROW(codes->all, codes->count, codes->capacity);
        codes->all[codes->count++] = compiled;
    }
    compiled->used_at = ++codes->uses;
    pthread_mutex_unlock(&codes->lock);
    return compiled;
}

static void take_out(hq_codes *codes, const hq_compiled *compiled)
{
    for (size_t i = 0; i < codes->count; i++)
        if (codes->all[i] == compiled) {
            codes->all[i] = codes->all[--codes->count];
            return;
        }
}

/* The one that nobody holds and that was asked for longest ago, if there are too many of them. */
static hq_compiled *superfluous(const hq_codes *codes)
{
    hq_compiled *oldest = NULL;
    size_t idle = 0;
    for (size_t i = 0; i < codes->count; i++) {
        hq_compiled *one = codes->all[i];
        if (one->holders > 0)
            continue;
        idle++;
        if (!oldest || one->used_at < oldest->used_at)
            oldest = one;
    }
    return idle > codes->keep ? oldest : NULL;
}

void codes_release(hq_codes *codes, hq_compiled **compiled_p)
{
    hq_compiled *compiled = *compiled_p, *gone = NULL;
    *compiled_p = NULL;
    if (!compiled)
        return;
    if (!codes) {
        compiled_free(compiled);
        return;
    }
    pthread_mutex_lock(&codes->lock);
    if (--compiled->holders == 0) {
        /* What is not compiled is worth nothing; why it failed may be the machine's fault, and pass. */
        gone = compiled->was_compiled && !compiled->failure.error ? superfluous(codes) : compiled;
        if (gone)
            take_out(codes, gone);
    }
    pthread_mutex_unlock(&codes->lock);
    if (gone)
        compiled_free(gone);
}

static void compile(hq_compiled *compiled, const char *text, const hq_schema *schema)
{
    hq_complaint complaint;
    hq_failure *failure = &compiled->failure;
    /* The broker has checked this text against this schema: what fails here is another version of hq. */
    failure->error = program_parse(text, strlen(text), schema, &compiled->program, &complaint);
    if (failure->error) {
        hq_fail(&failure->reason, failure->error, "the worker does not understand what its broker did: %s",
                complaint.message);
        failure->line = (uint32_t)complaint.line;
        return;
    }
    failure->error = code_compile(compiled->program, &compiled->code, &failure->reason);
}

bool compiled_make(hq_compiled *compiled, const char *text, const hq_schema *schema, hq_failure *failure)
{
    pthread_mutex_lock(&compiled->lock);
    if (!compiled->was_compiled) {
        compile(compiled, text, schema);
        compiled->was_compiled = true;
    }
    pthread_mutex_unlock(&compiled->lock);
    if (compiled->failure.error)
        *failure = compiled->failure;
    return !compiled->failure.error;
}

const hq_program *compiled_program(const hq_compiled *compiled)
{
    return compiled->program;
}

const hq_code *compiled_code(const hq_compiled *compiled)
{
    return compiled->code;
}
