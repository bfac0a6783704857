/* query/code_module.h - a program as an LLVM module, on its way to the linker or to a reader. Private to query/code*.c.
 */
#ifndef HQ_QUERY_CODE_MODULE_H
#define HQ_QUERY_CODE_MODULE_H

#include <llvm-c/Core.h>

#include "query/code.h"
#include "query/code_jit.h"

typedef struct code_unit {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMTargetMachineRef machine; /* on loan; of this level */
    jit_level level;
} code_unit;

/* The program as an optimised module, in a context of its own, with the machine that it was made for. A large program
 * is compiled quickly. HQ_EUNSUPPORTED: LLVM cannot compile for this machine. */
hq_error code_module(const hq_program *program, code_unit *unit_r, hq_reason *reason);
void code_unit_clear(code_unit *unit);

#endif
