/* The decoder of schemas: any bytes give an error or a schema that encodes to the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    hq_schema *schema = NULL;
    hq_reason reason;
    if (schema_decode(bytes, size, &schema, &reason) != HQ_OK)
        return 0;
    hq_buffer again = {0};
    schema_encode(schema, &again);
    if (again.size != size || memcmp(again.bytes, bytes, size) != 0)
        __builtin_trap();
    buffer_clear(&again);
    schema_free(&schema);
    return 0;
}
