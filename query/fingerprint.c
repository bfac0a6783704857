/* query/fingerprint.c - the typed program as bytes that are the same for every spelling of it.
 *
 * Slots are numbered in the order in which the checker made them, columns, groups and histograms in the order of their
 * first use, and names of variables are gone, so the tree itself is canonical. Lines and messages of faults stay out.
 */
#include <string.h>

#include "query/typed.h"

static void add_expr(hq_hasher *hasher, const hq_expr *expr)
{
    if (!expr) {
        hasher_add_u64(hasher, UINT64_MAX);
        return;
    }
    hasher_add_u64(hasher, (uint64_t)expr->op << 8 | expr->type);
    switch ((hq_expr_op)expr->op) {
    case EXPR_CONST: {
        uint64_t bits = (uint64_t)expr->value.integer;
        if (expr->type == SCALAR_FLOAT)
            memcpy(&bits, &expr->value.number, sizeof bits);
        hasher_add_u64(hasher, bits);
        return;
    }
    case EXPR_SLOT:
    case EXPR_FLAT:
    case EXPR_BEGIN:
    case EXPR_END:
        hasher_add_u64(hasher, expr->index);
        return;
    case EXPR_LOAD:
        hasher_add_u64(hasher, expr->index);
        break;
    case EXPR_CALL:
        hasher_add_text(hasher, MATH_FUNCTIONS[expr->index].name);
        break;
    default:
        break;
    }
    add_expr(hasher, expr->a);
    add_expr(hasher, expr->b);
    add_expr(hasher, expr->c);
}

static void add_block(hq_hasher *hasher, const hq_block *block)
{
    uint64_t count = 0;
    for (const hq_stmt *stmt = block ? block->first : NULL; stmt; stmt = stmt->next) {
        count++;
        hasher_add_u64(hasher, (uint64_t)stmt->op << 32 | stmt->slot);
        if (stmt->op == STMT_FILL || stmt->op == STMT_KERNEL)
            hasher_add_u64(hasher, stmt->index);
        add_expr(hasher, stmt->a);
        add_expr(hasher, stmt->b);
        add_expr(hasher, stmt->c);
        for (size_t i = 0; i < HQ_MAX_AXES; i++)
            add_expr(hasher, stmt->fill[i]);
        add_block(hasher, stmt->head);
        add_block(hasher, stmt->body);
        add_block(hasher, stmt->other);
    }
    hasher_add_u64(hasher, UINT64_MAX - 1);
    hasher_add_u64(hasher, count);
}

static void add_double(hq_hasher *hasher, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    hasher_add_u64(hasher, bits);
}

static void add_hist(hq_hasher *hasher, const hq_declared *hist)
{
    hasher_add_text(hasher, hist->name);
    hasher_add_u64(hasher, hist->storage);
    hasher_add_u64(hasher, hist->axis_count);
    for (size_t i = 0; i < hist->axis_count; i++) {
        const hq_axis *axis = &hist->axes[i];
        hasher_add_u64(hasher, axis->kind);
        hasher_add_text(hasher, axis->name);
        hasher_add_text(hasher, axis->label);
        hasher_add_u64(hasher, axis->bins);
        add_double(hasher, axis->low);
        add_double(hasher, axis->high);
        hasher_add_u64(hasher, axis->transform);
        for (uint32_t k = 0; axis->edges && k <= axis->bins; k++)
            add_double(hasher, axis->edges[k]);
        for (uint32_t k = 0; axis->ints && k < axis->bins; k++)
            hasher_add_u64(hasher, (uint64_t)axis->ints[k]);
        for (uint32_t k = 0; axis->texts && k < axis->bins; k++)
            hasher_add_text(hasher, axis->texts[k]);
    }
}

hq_hash typed_fingerprint(const hq_program *program)
{
    hq_hasher *hasher = hasher_new();
    hasher_add_text(hasher, "hq query");
    hasher_add_u64(hasher, HQ_LANGUAGE_VERSION);
    hasher_add_u64(hasher, program->columns->count);
    for (size_t i = 0; i < program->columns->count; i++) {
        const hq_field *field = &program->columns->fields[i];
        hasher_add_text(hasher, field->name);
        hasher_add_u64(hasher, field->type);
        hasher_add_u64(hasher, field->depth);
        hasher_add_u64(hasher, field->depth ? program->column_groups[i] : 0);
    }
    hasher_add_u64(hasher, program->group_count);
    hasher_add_u64(hasher, program->slot_count);
    hasher_add(hasher, program->slots, program->slot_count);
    hasher_add_u64(hasher, program->hist_count);
    for (size_t i = 0; i < program->hist_count; i++)
        add_hist(hasher, &program->hists[i]);
    add_block(hasher, &program->body);
    return hasher_end(&hasher);
}
