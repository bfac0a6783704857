/* query/check_name.c - what a name, an attribute or event["…"] stands for. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "query/check.h"

enum { NO_COLUMN = UINT32_MAX };

/* Collections are numbered over all passes: a variable's shape, found in one, may be of a collection that the next one
 * has not met yet when the variable is used. */
static uint32_t collection_number(hq_checker *checker, const char *name)
{
    hq_ledger *ledger = checker->ledger;
    for (uint32_t i = 0; i < ledger->collection_count; i++)
        if (strcmp(ledger->collections[i], name) == 0)
            return i;
    ARENA_GROW(checker->source->arena, ledger->collections, ledger->collection_count, ledger->collection_capacity);
    ledger->collections[ledger->collection_count] = name;
    return (uint32_t)ledger->collection_count++;
}

static const char *collection_of(const hq_checker *checker, uint32_t number)
{
    return checker->ledger->collections[number];
}

/* --- messages --- */

const char *check_spell(hq_checker *checker, const hq_node *node)
{
    hq_source *source = checker->source;
    switch (node->kind) {
    case NODE_NAME:
        return source_format(source, "%.60s", node->word->text);
    case NODE_ATTR:
        return source_format(source, "%.80s.%.60s", check_spell(checker, node->kids[0]), node->word->text);
    case NODE_INDEX:
        if (node->kids[1]->kind == NODE_STRING)
            return source_format(source, "%.80s[\"%.80s\"]", check_spell(checker, node->kids[0]), node->kids[1]->text);
        return source_format(source, "%.80s[%s]", check_spell(checker, node->kids[0]),
                             node->kids[1]->kind == NODE_SLICE ? "…:…" : "…");
    case NODE_CALL:
        return source_format(source, "%.80s(…)", check_spell(checker, node->kids[0]));
    default:
        return "this";
    }
}

const char *check_describe(hq_checker *checker, const hq_value *value)
{
    const hq_program *program = checker->program;
    switch (value->kind) {
    case KIND_BOOL:
        return "a bool";
    case KIND_INT:
        return "an int";
    case KIND_FLOAT:
        return "a float";
    case KIND_RECORD:
        return source_format(checker->source, "a record of %s", collection_of(checker, value->ref));
    case KIND_EITHER: {
        const char *text = "a record";
        for (size_t i = 0; i < value->item_count && i < 4; i++)
            text = source_format(checker->source, "%.200s of %s%s", text, collection_of(checker, value->items[i].ref),
                                 i + 1 < value->item_count ? " or" : "");
        return text;
    }
    case KIND_RECORDS:
        return source_format(checker->source, "a sequence of records of %s", collection_of(checker, value->ref));
    case KIND_LIST:
        return source_format(checker->source, "a sequence of values of %s", program->columns->fields[value->ref].name);
    case KIND_RANGE:
        return "a range";
    case KIND_JOINED:
        return "a sequence of several joined";
    case KIND_STRIDED:
        return source_format(checker->source, "a slice with a step of %s", check_describe(checker, &value->items[0]));
    case KIND_ARRAY:
        return source_format(checker->source, "a list (each element is %.200s)",
                             check_describe(checker, &value->items[0]));
    case KIND_ENUMERATE:
        return "an enumeration";
    case KIND_ZIP:
        return "a zip";
    case KIND_COMBINATIONS:
        return "what combinations gives";
    case KIND_REVERSED:
        return "what reversed gives";
    case KIND_GENERATOR:
        return "a generator expression";
    case KIND_DEF:
        return source_format(checker->source, "the function %s", value->text);
    case KIND_TUPLE:
        return value->node ? "a list" : "a tuple"; /* see check_takes_list */
    case KIND_STRING:
        return "a string";
    case KIND_EVENT:
        return "the event itself";
    case KIND_EVENTS:
        return "the sequence of all events";
    case KIND_MODULE:
        return "a module";
    case KIND_FUNCTION:
        return source_format(checker->source, "the function %s", value->text);
    case KIND_HISTOGRAM:
        return source_format(checker->source, "the histogram %s", program->hists[value->ref].name);
    case KIND_FILL:
        return "the method fill";
    }
    return "this";
}

/* --- columns --- */

static uint32_t find_group(hq_checker *checker, const char *collection)
{
    hq_program *program = checker->program;
    for (uint32_t i = 0; collection && i < program->group_count; i++)
        if (program->groups[i].collection && strcmp(program->groups[i].collection, collection) == 0)
            return i;
    ARENA_GROW(program->arena, program->groups, program->group_count, program->group_capacity);
    char *copy = collection ? arena_copy(program->arena, collection, strlen(collection)) : NULL;
    program->groups[program->group_count] = (hq_group){copy, NO_COLUMN};
    return (uint32_t)program->group_count++;
}

/* The column's number in the program, which from now on reads it. */
static uint32_t use_column(hq_checker *checker, const hq_field *field)
{
    hq_program *program = checker->program;
    hq_schema *columns = program->columns;
    for (uint32_t i = 0; i < columns->count; i++)
        if (strcmp(columns->fields[i].name, field->name) == 0)
            return i;
    uint32_t column = (uint32_t)columns->count;
    schema_add(columns, field->name, field->collection, field->member, field->type, field->depth);
    uint32_t group = field->depth ? find_group(checker, field->collection) : NO_COLUMN;
    ARENA_GROW(program->arena, program->column_groups, column, program->column_group_capacity);
    program->column_groups[column] = group;
    if (field->depth && program->groups[group].column == NO_COLUMN)
        program->groups[group].column = column;
    return column;
}

void check_complete_groups(hq_checker *checker)
{
    hq_program *program = checker->program;
    for (size_t i = 0; i < program->group_count; i++) {
        if (program->groups[i].column != NO_COLUMN)
            continue;
        /* Only its length was asked for: the narrowest of its columns tells it with the fewest bytes to read. */
        const hq_field *best = NULL;
        for (size_t j = 0; j < checker->schema->count; j++) {
            const hq_field *field = &checker->schema->fields[j];
            if (field->depth == 1 && field->collection &&
                strcmp(field->collection, program->groups[i].collection) == 0 &&
                (!best || hq_type_size(field->type) < hq_type_size(best->type)))
                best = field;
        }
        use_column(checker, best);
    }
}

static hq_value sequence_of(hq_checker *checker, hq_kind kind, uint32_t ref, uint32_t group)
{
    return (hq_value){
        .kind = kind,
        .ref = ref,
        .part = {build_read(checker, EXPR_BEGIN, group, NULL), build_read(checker, EXPR_END, group, NULL)}};
}

static hq_value value_of_field(hq_checker *checker, const hq_node *node, const hq_field *field)
{
    if (field->depth > 1)
        source_fail(checker->source, node->at,
                    "a query reads columns with one value, or one list of values, in an event",
                    "every event has a list of lists in the column %.200s", field->name);
    uint32_t column = use_column(checker, field);
    if (field->depth)
        return sequence_of(checker, KIND_LIST, column, checker->program->column_groups[column]);
    return value_of(build_read(checker, EXPR_FLAT, column, NULL));
}

static bool has_jagged_member(const hq_schema *schema, const char *collection)
{
    for (size_t i = 0; i < schema->count; i++)
        if (schema->fields[i].depth == 1 && schema->fields[i].collection &&
            strcmp(schema->fields[i].collection, collection) == 0)
            return true;
    return false;
}

static void guess_columns(hq_guess *guess, const hq_schema *schema, bool with_collections)
{
    for (size_t i = 0; i < schema->count; i++) {
        const hq_field *field = &schema->fields[i];
        if (with_collections && field->collection)
            guess_try(guess, field->collection);
        guess_try(guess, field->name);
    }
}

/* Can it stand behind a dot? */
static bool is_name(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == 0;
}

/* What begins with NAME and a dot or an underscore may be meant, as event.MET.pt for event.MET_pt. */
static const char *hint_for_parts(hq_checker *checker, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < checker->schema->count; i++) {
        const hq_field *field = &checker->schema->fields[i];
        if (strncmp(field->name, name, length) != 0 || (field->name[length] != '.' && field->name[length] != '_'))
            continue;
        return source_format(checker->source,
                             is_name(field->name) ? "its columns are written event.%.200s"
                                                  : "its columns are written event[\"%.200s\"]",
                             field->name);
    }
    return NULL;
}

/* A hint for event.NAME that is not there. */
static const char *hint_for_column(hq_checker *checker, const char *name)
{
    /* The counter of a collection need not be a column of its own. */
    if (name[0] == 'n' && has_jagged_member(checker->schema, name + 1))
        return source_format(checker->source, "the number of its elements is len(event.%.100s)", name + 1);
    const char *hint = hint_for_parts(checker, name);
    if (hint)
        return hint;
    hq_guess guess = {.wrong = name};
    guess_columns(&guess, checker->schema, true);
    return guess.best && !is_name(guess.best)
               ? source_format(checker->source, "did you mean event[\"%s\"]?", guess.best)
               : guess_hint(checker->source, &guess, "event.");
}

static hq_value event_attribute(hq_checker *checker, const hq_node *node)
{
    const char *name = node->word->text;
    if (has_jagged_member(checker->schema, name)) {
        uint32_t group = find_group(checker, name);
        return sequence_of(checker, KIND_RECORDS, collection_number(checker, name), group);
    }
    const hq_field *field = schema_find(checker->schema, name);
    if (!field)
        source_fail(checker->source, node->at, hint_for_column(checker, name),
                    "event.%.200s: no such collection or column", name);
    return value_of_field(checker, node, field);
}

hq_value check_column(hq_checker *checker, const hq_node *node, const char *name)
{
    const hq_field *field = schema_find(checker->schema, name);
    if (field)
        return value_of_field(checker, node, field);
    hq_guess guess = {.wrong = name};
    guess_columns(&guess, checker->schema, false);
    const char *hint = has_jagged_member(checker->schema, name)
                           ? source_format(checker->source, "the collection is event.%.100s", name)
                       : guess.best ? source_format(checker->source, "did you mean event[\"%s\"]?", guess.best)
                                    : NULL;
    source_fail(checker->source, node->at, hint, "event[\"%.200s\"]: no such column", name);
}

static const hq_field *find_member(hq_checker *checker, uint32_t collection, const char *member)
{
    const hq_field *field = schema_find_member(checker->schema, collection_of(checker, collection), member);
    return field && field->depth == 1 ? field : NULL;
}

/* "its members are charge, eta, phi": as many as find room. */
static const char *list_members(hq_checker *checker, const char *collection)
{
    char text[300] = "its members are";
    size_t used = strlen(text);
    const char *between = " ";
    for (size_t i = 0; i < checker->schema->count; i++) {
        const hq_field *field = &checker->schema->fields[i];
        if (field->depth != 1 || !field->collection || !field->member || strcmp(field->collection, collection) != 0)
            continue;
        if (used + strlen(field->member) + 8 > sizeof text) {
            snprintf(text + used, sizeof text - used, ", …");
            break;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", between, field->member);
        between = ", ";
    }
    return source_format(checker->source, "%s", text);
}

static const hq_expr *record_member(hq_checker *checker, const hq_node *node, const hq_value *record,
                                    const char *member)
{
    const char *collection = collection_of(checker, record->ref);
    const hq_field *field = find_member(checker, record->ref, member);
    if (field)
        return build_read(checker, EXPR_LOAD, use_column(checker, field), record->part[0]);
    hq_guess guess = {.wrong = member};
    for (size_t i = 0; i < checker->schema->count; i++) {
        const hq_field *other = &checker->schema->fields[i];
        if (other->depth == 1 && other->collection && other->member && strcmp(other->collection, collection) == 0)
            guess_try(&guess, other->member);
    }
    const char *hint = guess_hint(checker->source, &guess, "");
    source_fail(checker->source, node->at, hint ? hint : list_members(checker, collection),
                "%.200s has no member '%.200s'", collection, member);
}

const hq_expr *check_member(hq_checker *checker, const hq_node *node, const hq_value *record, const char *member)
{
    if (record->kind == KIND_RECORD)
        return record_member(checker, node, record, member);
    /* The record is of one of several groups, and the member is read from that one's column. */
    const hq_expr *number = build_once(checker, record->part[0]);
    const hq_expr *position = build_once(checker, record->part[1]);
    const hq_expr *value = NULL;
    for (size_t i = record->item_count; i-- > 0;) {
        hq_value one = {.kind = KIND_RECORD, .ref = record->items[i].ref, .part = {position}};
        const hq_expr *here = record_member(checker, node, &one, member);
        if (!value) {
            value = here;
            continue;
        }
        hq_scalar type = (hq_scalar)(here->type > value->type ? here->type : value->type);
        const hq_expr *is_here = build_binary(checker, EXPR_EQUAL, number, build_int(checker, (int64_t)i));
        value = build_cond(checker, is_here, build_convert(checker, here, type), build_convert(checker, value, type));
    }
    return value;
}

/* --- names --- */

static hq_value value_of_local(hq_checker *checker, const hq_node *node, hq_symbol *symbol)
{
    if (symbol->level < checker->floor)
        source_fail(checker->source, node->at, "make it an argument of the function",
                    "'%.200s' is a variable of the event loop, and a function sees only its arguments",
                    symbol->word->text);
    if (!flow_has(&checker->flow, symbol))
        source_fail(checker->source, node->at,
                    "give it a value first, at the start of the event: nothing is carried from one event to the next",
                    "'%.200s' may have no value yet here", symbol->word->text);
    if (!symbol->has_shape || !symbol->has_slot) {
        /* Only what can never run reads a variable that no earlier line gives a value. */
        return value_of(build_int(checker, 0));
    }
    return value_of_slots(checker, &symbol->shape, symbol->slot);
}

static _Noreturn void refuse_name(hq_checker *checker, const hq_node *node)
{
    const char *name = node->word->text;
    const char *why = check_why_no_function(MODULE_BUILTINS, name);
    if (why)
        source_fail(checker->source, node->at, why, "'%.200s' is not part of hq's query language", name);
    if (check_has_function(MODULE_MATH, name) || check_math_constant(name, &(double){0}))
        source_fail(checker->source, node->at, source_format(checker->source, "from math import %s", name),
                    "'%.200s' is not known here", name);
    if (strcmp(name, "math") == 0 || strcmp(name, "hist") == 0)
        source_fail(checker->source, node->at, source_format(checker->source, "import %s", name),
                    "'%.200s' is not known here", name);
    if (check_has_function(MODULE_HQ, name) || strcmp(name, "combinations") == 0)
        source_fail(checker->source, node->at,
                    source_format(checker->source, "from %s import %s", *name == 'c' ? "itertools" : "hq", name),
                    "'%.200s' is not known here", name);
    if (strcmp(name, "Hist") == 0 || strcmp(name, "axis") == 0)
        source_fail(checker->source, node->at, "from hist import Hist, axis", "'%.200s' is not known here", name);
    if (checker->is_in_event && (has_jagged_member(checker->schema, name) || schema_find(checker->schema, name)))
        source_fail(checker->source, node->at, source_format(checker->source, "did you mean event.%.100s?", name),
                    "'%.200s' is not known here", name);
    hq_guess guess = {.wrong = name};
    for (const hq_symbol *symbol = checker->symbols; symbol; symbol = symbol->next)
        if (symbol->is_global || symbol->is_local)
            guess_try(&guess, symbol->word->text);
    if (!checker->has_loop)
        guess_try(&guess, "events");
    check_guess_functions(&guess, MODULE_BUILTINS);
    check_guess_functions(&guess, MODULE_MATH);
    source_fail(checker->source, node->at, guess_hint(checker->source, &guess, ""), "'%.200s' is not known here", name);
}

bool check_takes_list(hq_checker *checker, const hq_node *node, hq_value *tuple_r)
{
    const hq_symbol *symbol = node->kind == NODE_NAME ? node->word->symbol : NULL;
    if (!checker->is_in_event || !symbol || symbol->is_local || symbol->is_alias || !symbol->is_global ||
        symbol->value.kind != KIND_TUPLE || !symbol->value.node)
        return false;
    *tuple_r = symbol->value;
    tuple_r->node = NULL;
    return true;
}

hq_value check_name(hq_checker *checker, const hq_node *node)
{
    hq_symbol *symbol = node->word->symbol;
    if (symbol && symbol->is_local)
        return value_of_local(checker, node, symbol);
    if (symbol && symbol->is_alias && symbol->level < checker->floor)
        source_fail(checker->source, node->at, "make it an argument of the function",
                    "'%.200s' is a variable of the event loop, and a function sees only its arguments",
                    symbol->word->text);
    if (symbol && (symbol->is_global || symbol->is_alias)) {
        hq_value value = symbol->value;
        return check_takes_list(checker, node, &value) ? seq_array(checker, node, &value) : value;
    }
    if (strcmp(node->word->text, "events") == 0)
        return (hq_value){.kind = KIND_EVENTS};
    if (check_has_function(MODULE_BUILTINS, node->word->text))
        return (hq_value){.kind = KIND_FUNCTION, .ref = MODULE_BUILTINS, .text = node->word->text};
    refuse_name(checker, node);
}

static hq_value module_attribute(hq_checker *checker, const hq_node *node, hq_module module)
{
    static const char *const NAMES[] = {"builtins",     "math", "hist",      "hist.axis",
                                        "hist.storage", "hq",   "itertools", "hist.axis.transform"};
    const char *name = node->word->text;
    double constant;
    if (module == MODULE_MATH && check_math_constant(name, &constant))
        return value_of(build_float(checker, constant));
    if (module == MODULE_HIST && strcmp(name, "axis") == 0)
        return (hq_value){.kind = KIND_MODULE, .ref = MODULE_AXIS};
    if (module == MODULE_HIST && strcmp(name, "storage") == 0)
        return (hq_value){.kind = KIND_MODULE, .ref = MODULE_STORAGE};
    if (module == MODULE_AXIS && strcmp(name, "transform") == 0)
        return (hq_value){.kind = KIND_MODULE, .ref = MODULE_TRANSFORM};
    if (check_has_function(module, name))
        return (hq_value){.kind = KIND_FUNCTION, .ref = module, .text = name};
    const char *why = check_why_no_function(module, name);
    if (why)
        source_fail(checker->source, node->at, why, "%s.%.200s is not part of hq's query language", NAMES[module],
                    name);
    hq_guess guess = {.wrong = name};
    check_guess_functions(&guess, module);
    source_fail(checker->source, node->at,
                guess_hint(checker->source, &guess, source_format(checker->source, "%s.", NAMES[module])),
                "%s has no '%.200s'", NAMES[module], name);
}

hq_value check_attribute(hq_checker *checker, const hq_node *node)
{
    hq_value whole = check_expr(checker, node->kids[0]);
    checker->at = node->at;
    const char *name = node->word->text;
    switch (whole.kind) {
    case KIND_EVENT:
        return event_attribute(checker, node);
    case KIND_RECORD:
    case KIND_EITHER:
        return value_of(check_member(checker, node, &whole, name));
    case KIND_MODULE:
        return module_attribute(checker, node, (hq_module)whole.ref);
    case KIND_HISTOGRAM:
        if (strcmp(name, "fill") == 0)
            return (hq_value){.kind = KIND_FILL, .ref = whole.ref};
        source_fail(checker->source, node->at,
                    strcasecmp(name, "fill") == 0
                        ? "did you mean fill?"
                        : "a query can only fill its histograms; hq gives them back when it is done",
                    "the histogram's '%.200s' is not part of hq's query language", name);
    case KIND_RECORDS:
        if (find_member(checker, whole.ref, name))
            source_fail(checker->source, node->at,
                        source_format(checker->source, "loop over it: for x in %s: … x.%.60s",
                                      check_spell(checker, node->kids[0]), name),
                        "'%.200s' is a member of each element, not of the whole sequence", name);
        break;
    case KIND_ARRAY:
        source_fail(checker->source, node->at, "a list is made at once: [… for … in … if …]",
                    "a list has no '%.200s' and does not change", name);
    case KIND_EVENTS:
        source_fail(checker->source, node->at, "for event in events: … event.%.100s",
                    "'%.200s' belongs to one event, not to all of them", name);
    case KIND_FUNCTION:
        if (strcmp(whole.text, "Hist") == 0 && strcmp(name, "new") == 0)
            source_fail(checker->source, node->at, "Hist(axis.Regular(bins, low, high))",
                        "Hist.new is not part of hq's query language");
        break;
    default:
        break;
    }
    source_fail(checker->source, node->at, NULL, "%s has no attribute '%.200s'", check_describe(checker, &whole), name);
}
