/* query/code_module.h - a program as an LLVM module, on its way to the linker or to a reader. Private to query/code*.c.
 */
#ifndef HQ_QUERY_CODE_MODULE_H
#define HQ_QUERY_CODE_MODULE_H

#include <llvm-c/Orc.h>
#include <llvm-c/TargetMachine.h>

#include "query/code.h"

/* Before anything else of LLVM; as often as one likes. */
void code_start(void);

/* A target machine for the host, which the passes ask what instructions cost; the caller disposes of it. NULL, and the
 * reason, if LLVM cannot compile for this machine. */
LLVMTargetMachineRef code_machine(hq_reason *reason);

/* The program as an optimised module, in a context of its own, which goes with it. */
hq_error code_module(const hq_program *program, LLVMOrcThreadSafeModuleRef *module_r, hq_reason *reason);

#endif
