/* worker/codes.h - machine code that is kept: a query asked again, of the same columns, is not compiled again.
 *
 * Thread-safe throughout.
 */
#ifndef HQ_WORKER_CODES_H
#define HQ_WORKER_CODES_H

#include "base/schema.h"
#include "query/code.h"
#include "wire/records.h"

typedef struct hq_codes hq_codes;
typedef struct hq_compiled hq_compiled;

/* Keeps what the last keep queries were compiled to, beyond what is held. */
hq_codes *codes_new(size_t keep);
/* Nothing may be held. */
void codes_free(hq_codes **codes_p);

/* What a text becomes over a schema, given also as its bytes; compiled or not. Held until codes_release. codes may be
 * NULL: then nobody else gets it, and nothing is kept. */
hq_compiled *codes_hold(hq_codes *codes, const char *text, const void *schema, size_t schema_size);
/* Nulls the pointer; NULL is let pass. */
void codes_release(hq_codes *codes, hq_compiled **compiled_p);

/* Compiles unless somebody has: the first who comes does, the others wait for it. False with *failure for a text that
 * cannot be compiled, which is not remembered beyond those who hold it. */
bool compiled_make(hq_compiled *compiled, const char *text, const hq_schema *schema, hq_failure *failure);
/* After compiled_make; they belong to it. */
const hq_program *compiled_program(const hq_compiled *compiled);
const hq_code *compiled_code(const hq_compiled *compiled);

#endif
