#include "query/code_jit.h"

#include <inttypes.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "query/code_emit.h"
#include "query/exact.h"

/* The only state of the process that hq keeps: what LLVM takes milliseconds to set up and any query can use. */
static struct {
    pthread_mutex_t lock;
    bool is_started;
    LLVMOrcLLJITRef linker;
    struct {
        LLVMTargetMachineRef *machines; /* those that nobody uses */
        size_t count, capacity;
    } pools[JIT_LEVELS];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_uint_fast64_t names;

hq_error jit_fail(hq_reason *reason, LLVMErrorRef error, const char *what)
{
    char *message = LLVMGetErrorMessage(error);
    hq_error code = hq_fail(reason, HQ_EINTERNAL, "compiling the query: %s: %s", what, message);
    LLVMDisposeErrorMessage(message);
    return code;
}

static LLVMTargetMachineRef new_machine(jit_level level, hq_reason *reason)
{
    char *triple = LLVMGetDefaultTargetTriple();
    char *cpu = LLVMGetHostCPUName();
    char *features = LLVMGetHostCPUFeatures();
    char *message = NULL;
    LLVMTargetRef target;
    LLVMTargetMachineRef machine = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        hq_fail(reason, HQ_EUNSUPPORTED, "LLVM cannot compile for this machine (%s): %s", triple, message);
        LLVMDisposeMessage(message);
    } else {
        machine = LLVMCreateTargetMachine(target, triple, cpu, features,
                                          level == JIT_QUICK ? LLVMCodeGenLevelNone : LLVMCodeGenLevelLess,
                                          LLVMRelocPIC, LLVMCodeModelSmall);
    }
    LLVMDisposeMessage(triple);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    return machine;
}

LLVMTargetMachineRef jit_take_machine(jit_level level, hq_reason *reason)
{
    LLVMTargetMachineRef machine = NULL;
    pthread_mutex_lock(&kept.lock);
    if (!kept.is_started) {
        LLVMInitializeNativeTarget();
        LLVMInitializeNativeAsmPrinter();
        kept.is_started = true;
    }
    if (kept.pools[level].count > 0)
        machine = kept.pools[level].machines[--kept.pools[level].count];
    pthread_mutex_unlock(&kept.lock);
    return machine ? machine : new_machine(level, reason);
}

void jit_give_machine(LLVMTargetMachineRef *machine_p, jit_level level)
{
    if (!*machine_p)
        return;
    pthread_mutex_lock(&kept.lock);
    HQ_GROW(kept.pools[level].machines, kept.pools[level].count, kept.pools[level].capacity);
    kept.pools[level].machines[kept.pools[level].count++] = *machine_p;
    pthread_mutex_unlock(&kept.lock);
    *machine_p = NULL;
}

void jit_new_name(char name_r[JIT_NAME_SIZE])
{
    snprintf(name_r, JIT_NAME_SIZE, "%s_%" PRIuFAST64, CODE_FUNCTION_NAME, atomic_fetch_add(&names, 1));
}

/* --- linking --- */

static LLVMOrcCSymbolMapPair symbol_at(LLVMOrcLLJITRef jit, const char *name, uintptr_t address)
{
    LLVMJITSymbolFlags flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
    return (LLVMOrcCSymbolMapPair){LLVMOrcLLJITMangleAndIntern(jit, name), {address, flags}};
}

/* Tells where the functions are that machine code calls. */
static LLVMErrorRef define_symbols(LLVMOrcLLJITRef jit)
{
    size_t count = 0;
    LLVMOrcCSymbolMapPair *symbols = hq_calloc(MATH_FUNCTION_COUNT + KERNEL_COUNT + 10, sizeof *symbols);
    for (size_t i = 0; i < MATH_FUNCTION_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, CODE_MATH_FORMAT, i);
        symbols[count++] = symbol_at(jit, name, math_address(&MATH_FUNCTIONS[i]));
    }
    for (size_t i = 0; i < KERNEL_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, CODE_KERNEL_FORMAT, i);
        symbols[count++] = symbol_at(jit, name, (uintptr_t)MATH_KERNELS[i]);
    }
    symbols[count++] = symbol_at(jit, CODE_LOOK_NAME, (uintptr_t)code_look);
    symbols[count++] = symbol_at(jit, CODE_COUNT_NAME, (uintptr_t)code_count);
    symbols[count++] = symbol_at(jit, CODE_SINCOS_NAME, (uintptr_t)code_sincos);
    symbols[count++] = symbol_at(jit, CODE_POWER_NAME, (uintptr_t)math_int_power);
    symbols[count++] = symbol_at(jit, CODE_ROOM_NAME, (uintptr_t)code_room);
    symbols[count++] = symbol_at(jit, CODE_SORT_NAME, (uintptr_t)code_sort);
    symbols[count++] = symbol_at(jit, CODE_EDGES_NAME, (uintptr_t)code_count_edges);
    symbols[count++] = symbol_at(jit, CODE_CATEGORY_NAME, (uintptr_t)code_find_category);
    symbols[count++] = symbol_at(jit, CODE_SEARCH_ROOM_NAME, (uintptr_t)code_search_room);
    symbols[count++] = symbol_at(jit, CODE_SEARCH_NAME, (uintptr_t)code_search);
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(symbols, count);
    free(symbols);
    LLVMErrorRef error = LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit), unit);
    if (error) {
        LLVMOrcDisposeMaterializationUnit(unit);
        return error;
    }
    /* On a machine without an instruction for it LLVM calls the C library for floor and its kin. */
    LLVMOrcDefinitionGeneratorRef generator = NULL;
    error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&generator, LLVMOrcLLJITGetGlobalPrefix(jit), NULL,
                                                                 NULL);
    if (!error)
        LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), generator);
    return error;
}

/* With a machine like those that make the code. */
static LLVMErrorRef new_linker(LLVMOrcLLJITRef *linker_r, LLVMTargetMachineRef machine)
{
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder,
                                                  LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    LLVMErrorRef error = LLVMOrcCreateLLJIT(linker_r, builder);
    if (error)
        return error;
    error = define_symbols(*linker_r);
    if (error) {
        LLVMErrorRef second = LLVMOrcDisposeLLJIT(*linker_r);
        if (second)
            LLVMConsumeError(second);
        *linker_r = NULL;
    }
    return error;
}

static hq_error linker_of_process(LLVMOrcLLJITRef *linker_r, hq_reason *reason)
{
    hq_error code = HQ_OK;
    pthread_mutex_lock(&kept.lock);
    if (!kept.linker) {
        LLVMTargetMachineRef machine = new_machine(JIT_GOOD, reason);
        LLVMErrorRef error = machine ? new_linker(&kept.linker, machine) : NULL;
        if (error)
            code = jit_fail(reason, error, "starting the linker");
        else if (!machine)
            code = HQ_EUNSUPPORTED;
    }
    *linker_r = kept.linker;
    pthread_mutex_unlock(&kept.lock);
    return code;
}

hq_error jit_link(LLVMTargetMachineRef machine, LLVMModuleRef module, const char *function, jit_piece *piece_r,
                  hq_reason *reason)
{
    LLVMOrcLLJITRef linker;
    hq_error code = linker_of_process(&linker, reason);
    if (code)
        return code;
    char *message = NULL;
    LLVMMemoryBufferRef object = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &object)) {
        code = hq_fail(reason, HQ_EINTERNAL, "compiling the query: making machine code: %s", message);
        LLVMDisposeMessage(message);
        return code;
    }
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(linker);
    jit_piece piece = {.tracker = LLVMOrcJITDylibCreateResourceTracker(library)};
    LLVMErrorRef error = LLVMOrcLLJITAddObjectFileWithRT(linker, piece.tracker, object);
    LLVMOrcExecutorAddress address = 0;
    if (!error)
        error = LLVMOrcLLJITLookup(linker, &address, function);
    if (error) {
        jit_unlink(&piece);
        return jit_fail(reason, error, "linking");
    }
    piece.address = (uintptr_t)address;
    *piece_r = piece;
    return HQ_OK;
}

void jit_unlink(jit_piece *piece)
{
    if (!piece->tracker)
        return;
    LLVMErrorRef error = LLVMOrcResourceTrackerRemove(piece->tracker);
    if (error)
        LLVMConsumeError(error);
    LLVMOrcReleaseResourceTracker(piece->tracker);
    *piece = (jit_piece){0};
}
