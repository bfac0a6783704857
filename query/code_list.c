#include <llvm-c/Core.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_module.h"

static hq_error list_assembly(LLVMTargetMachineRef machine, LLVMModuleRef module, char **text_r, hq_reason *reason)
{
    char *message = NULL;
    LLVMMemoryBufferRef buffer = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &buffer)) {
        hq_error error = hq_fail(reason, HQ_EINTERNAL, "writing the assembly: %s", message);
        LLVMDisposeMessage(message);
        return error;
    }
    *text_r = hq_strndup(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return HQ_OK;
}

static void list_module(LLVMModuleRef module, char **text_r)
{
    char *text = LLVMPrintModuleToString(module);
    *text_r = hq_strdup(text);
    LLVMDisposeMessage(text);
}

hq_error code_list(const hq_program *program, hq_listing listing, char **text_r, hq_reason *reason)
{
    code_unit unit;
    hq_error error = code_module(program, &unit, reason);
    if (error)
        return error;
    if (listing == HQ_LISTING_IR)
        list_module(unit.module, text_r);
    else
        error = list_assembly(unit.machine, unit.module, text_r, reason);
    code_unit_clear(&unit);
    return error;
}
