#include <llvm-c/Core.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_module.h"

typedef struct listing_job {
    hq_listing listing;
    char *text;
    hq_error error;
    hq_reason *reason;
} listing_job;

static void list_assembly(listing_job *job, LLVMModuleRef module)
{
    LLVMTargetMachineRef machine = code_machine(job->reason);
    char *message = NULL;
    LLVMMemoryBufferRef buffer = NULL;
    job->error = HQ_EUNSUPPORTED;
    if (!machine)
        return;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &buffer)) {
        job->error = hq_fail(job->reason, HQ_EINTERNAL, "writing the assembly: %s", message);
        LLVMDisposeMessage(message);
    } else {
        job->text = hq_strndup(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
        job->error = HQ_OK;
        LLVMDisposeMemoryBuffer(buffer);
    }
    LLVMDisposeTargetMachine(machine);
}

static LLVMErrorRef list_module(void *context, LLVMModuleRef module)
{
    listing_job *job = context;
    if (job->listing == HQ_LISTING_IR) {
        char *text = LLVMPrintModuleToString(module);
        job->text = hq_strdup(text);
        LLVMDisposeMessage(text);
    } else {
        list_assembly(job, module);
    }
    return NULL;
}

hq_error code_list(const hq_program *program, hq_listing listing, char **text_r, hq_reason *reason)
{
    code_start();
    LLVMOrcThreadSafeModuleRef module;
    hq_error error = code_module(program, &module, reason);
    if (error)
        return error;
    listing_job job = {.listing = listing, .reason = reason};
    LLVMErrorRef problem = LLVMOrcThreadSafeModuleWithModuleDo(module, list_module, &job);
    if (problem)
        LLVMConsumeError(problem); /* list_module gives none */
    LLVMOrcDisposeThreadSafeModule(module);
    *text_r = job.text;
    return job.error;
}
