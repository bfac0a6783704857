/* base/error.h - what can go wrong, as a code for the program and a text for the person.
 *
 * A function that can fail gives back hq_error and takes, last, a hq_reason to write into. The text says what was
 * wrong, where (file, branch, entry, end point, key), and what to do about it. On HQ_OK the reason is left as it was.
 */
#ifndef HQ_BASE_ERROR_H
#define HQ_BASE_ERROR_H

#include <stdarg.h>

typedef enum hq_error {
    HQ_OK = 0,
    HQ_EINVAL,       /* an argument, an option or a configuration key is outside its domain */
    HQ_EQUERY,       /* the query's text is wrong, or it broke a rule while running (index out of range) */
    HQ_EFORMAT,      /* bytes of a file or of the store are not what their format demands */
    HQ_EUNSUPPORTED, /* well formed, but nothing hq can read or do */
    HQ_EIO,          /* the operating system failed to read or write */
    HQ_ENOTFOUND,    /* no such file, tree, column, key, dataset, broker */
    HQ_EEXISTS,      /* there already */
    HQ_EMISMATCH,    /* two things that must agree do not: axes, schema, version */
    HQ_EPROTOCOL,    /* a peer sent what the protocol does not allow */
    HQ_ELIMIT,       /* a limit on memory, size, number or attempts was reached */
    HQ_ETIMEOUT,     /* no answer, or no end, within the time allowed */
    HQ_ECANCELLED,   /* somebody asked for it to stop */
    HQ_EUNAVAILABLE, /* a server or peer cannot be reached; trying again may help */
    HQ_EUNCERTAIN,   /* a write may or may not have happened; it is safe to make it again */
    HQ_EINTERNAL,    /* a mistake of hq itself */
    HQ_ERROR_COUNT
} hq_error;

typedef struct hq_reason {
    char text[1024];
} hq_reason;

/* A short lower-case name that never changes ("notfound"), as it travels on the wire and stands in logs. */
const char *hq_error_name(hq_error error);

/* The reverse; HQ_EINTERNAL for a name that is not known. */
hq_error hq_error_from_name(const char *name);

/* Writes the text and gives back error, so that a caller can `return hq_fail(...)`. reason may be NULL. */
hq_error hq_fail(hq_reason *reason, hq_error error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there and gives back error. reason may be NULL. */
hq_error hq_fail_within(hq_reason *reason, hq_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
