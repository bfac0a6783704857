/* The decoder of files' plans: any bytes give an error or a plan that encodes to the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "data/fileplan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    hq_file_plan plan;
    hq_reason reason;
    if (fileplan_decode(bytes, size, &plan, &reason) != HQ_OK) {
        if (plan.tree || plan.version || plan.borders)
            __builtin_trap();
        return 0;
    }
    hq_buffer again = {0};
    fileplan_encode(&plan, &plan.schema_key, &again);
    if (again.size != size || memcmp(again.bytes, bytes, size) != 0)
        __builtin_trap();
    buffer_clear(&again);
    fileplan_clear(&plan);
    return 0;
}
