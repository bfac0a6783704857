#include <llvm-c/Core.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_jit.h"
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
    jit_level level = code_level(program);
    LLVMTargetMachineRef machine = jit_take_machine(level, reason);
    if (!machine)
        return HQ_EUNSUPPORTED;
    code_unit unit;
    hq_error error = code_module(program, machine, &unit, reason);
    if (!error) {
        if (listing == HQ_LISTING_IR)
            list_module(unit.module, text_r);
        else
            error = list_assembly(machine, unit.module, text_r, reason);
        code_unit_clear(&unit);
    }
    jit_give_machine(&machine, level);
    return error;
}
