/* query/code_module.h - a program as an LLVM module, on its way to the linker or to a reader. Private to query/code*.c.
 */
#ifndef HQ_QUERY_CODE_MODULE_H
#define HQ_QUERY_CODE_MODULE_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "query/code.h"
#include "query/code_jit.h"

typedef struct code_unit {
    LLVMContextRef context;
    LLVMModuleRef module;
} code_unit;

/* How the program is compiled: a large one quickly. */
jit_level code_level(const hq_program *program);

/* The program as an optimised module for a machine of its level, in a context of its own. */
hq_error code_module(const hq_program *program, LLVMTargetMachineRef machine, code_unit *unit_r, hq_reason *reason);
void code_unit_clear(code_unit *unit);

#endif
