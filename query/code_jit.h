/* query/code_jit.h - LLVM's machines and its linker, kept from one compilation to the next. Private to query/code*.c.
 *
 * To set them up takes longer than to compile a small query. There is one linker in a process, and as many machines as
 * there have been compilations at the same time; both stay until the process ends. Thread-safe.
 */
#ifndef HQ_QUERY_CODE_JIT_H
#define HQ_QUERY_CODE_JIT_H

#include <llvm-c/Orc.h>
#include <llvm-c/TargetMachine.h>
#include <stdint.h>

#include "base/error.h"

typedef enum jit_level { JIT_GOOD, JIT_QUICK, JIT_LEVELS } jit_level;

/* A machine for the host: the passes ask it what instructions cost, and it makes machine code. One thread uses it at a
 * time, and gives it back. NULL, and the reason, if LLVM cannot compile for this machine. */
LLVMTargetMachineRef jit_take_machine(jit_level level, hq_reason *reason);
void jit_give_machine(LLVMTargetMachineRef *machine_p, jit_level level);

/* Machine code that has been linked into the process. */
typedef struct jit_piece {
    LLVMOrcResourceTrackerRef tracker; /* NULL: none */
    uintptr_t address;                 /* of the module's function of that name */
} jit_piece;

/* Makes machine code of a module and links it with what CODE_*_NAME stand for. function has a name that no other piece
 * of this process has, see jit_new_name. */
hq_error jit_link(LLVMTargetMachineRef machine, LLVMModuleRef module, const char *function, jit_piece *piece_r,
                  hq_reason *reason);
/* The code must not run any more. */
void jit_unlink(jit_piece *piece);

/* LLVM's error, which is used up, as ours. */
hq_error jit_fail(hq_reason *reason, LLVMErrorRef error, const char *what);

enum { JIT_NAME_SIZE = 32 };
void jit_new_name(char name_r[JIT_NAME_SIZE]);

#endif
