/* Configuration files: keys with their sections and lines, and every way of being wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/inifile.h"
#include "base/memory.h"

/* Writes "[section]key=value;" for each key into a text; refuses the key "bad". */
typedef struct listing {
    char text[4096];
} listing;

static hq_error list_key(void *context, const char *section, const char *key, const char *value, hq_reason *reason)
{
    listing *self = context;
    if (strcmp(key, "bad") == 0)
        return hq_fail(reason, HQ_ELIMIT, "too bad");
    size_t used = strlen(self->text);
    snprintf(self->text + used, sizeof self->text - used, "[%s]%s=%s;", section, key, value);
    return HQ_OK;
}

static hq_error read_bytes(const char *bytes, size_t size, listing *listing_r, hq_reason *reason)
{
    *listing_r = (listing){""};
    FILE *stream = fmemopen((void *)(uintptr_t)bytes, size, "r");
    assert_non_null(stream);
    hq_error error = inifile_read_stream(stream, "x.conf", list_key, listing_r, reason);
    fclose(stream);
    return error;
}

static void assert_reads(const char *text, const char *expected)
{
    listing found;
    hq_reason reason;
    if (read_bytes(text, strlen(text), &found, &reason) != HQ_OK)
        fail_msg("%s", reason.text);
    assert_string_equal(found.text, expected);
}

static void assert_refused(const char *text, hq_error expected, const char *why)
{
    listing found;
    hq_reason reason;
    assert_int_equal(read_bytes(text, strlen(text), &found, &reason), expected);
    assert_string_equal(reason.text, why);
}

static void keys_come_with_their_sections(void **state)
{
    (void)state;
    assert_reads("a = 1\n[s]\nb=2\n c : 3\n[t]\nd =\n", "[]a=1;[s]b=2;[s]b=c : 3;[t]d=;");
    assert_reads("\n# comment = 1\n; another\n  # indented\na = x y ; remark\nb = x;y#z\n", "[]a=x y;[]b=x;y#z;");
    assert_reads("a = 1\r\nb = 2\r\n", "[]a=1;[]b=2;");
    assert_reads("a = 1", "[]a=1;"); /* no end of line */
    assert_reads("\xef\xbb\xbf"
                 "a = 1\n",
                 "[]a=1;");
    assert_reads("files = one\n  two\n\n  three\n", "[]files=one;[]files=two;[]files=three;");
    assert_reads("# nothing\n", "");
}

static void mistakes_name_file_and_line(void **state)
{
    (void)state;
    static const char what[] = "neither \"key = value\" nor \"[section]\" nor a comment (#)";
    char *expected = hq_format("x.conf:2: %s", what);
    assert_refused("a = 1\nnonsense\nb = 2\n", HQ_EINVAL, expected);
    assert_refused("a = 1\n[open\n", HQ_EINVAL, expected);
    free(expected);
    assert_refused("a = 1\n\nbad = 2\nbad = 3\n", HQ_ELIMIT, "x.conf:3: too bad");
}

static void what_would_be_cut_is_refused(void **state)
{
    (void)state;
    char line[1000];
    memset(line, 'x', sizeof line);
    memcpy(line, "a = 1\nb = ", 10);
    line[10 + 194] = 0; /* with "b = " 198 bytes */
    listing found;
    hq_reason reason;
    assert_int_equal(read_bytes(line, strlen(line), &found, &reason), HQ_OK);
    assert_int_equal(strlen(found.text), strlen("[]a=1;[]b=;") + 194);
    line[10 + 194] = 'x';
    line[10 + 195] = 0;
    assert_refused(line, HQ_EINVAL,
                   "x.conf:2: the line is too long (over 198 bytes); go on with it in an indented line");
    line[0] = '#';
    memcpy(line + 5, "#", 1); /* one long comment */
    assert_reads(line, "");

    memset(line, 'k', sizeof line);
    memcpy(line + 49, " = 1", 5);
    assert_refused(line, HQ_EINVAL, "x.conf:1: a section or key of more than 48 bytes");
    assert_int_equal(read_bytes("a = 1\nb\0 = 2\n", 13, &found, &reason), HQ_EINVAL);
    assert_string_equal(reason.text, "x.conf:2: there is a zero byte in this line");
}

static void a_file_that_is_not_there_is_told_apart(void **state)
{
    (void)state;
    listing found = {""};
    hq_reason reason;
    assert_int_equal(inifile_read("no-such.conf", list_key, &found, &reason), HQ_ENOTFOUND);
    assert_string_equal(reason.text, "no-such.conf: No such file or directory");
    assert_int_equal(inifile_read(".", list_key, &found, &reason), HQ_EIO);
    assert_string_equal(reason.text, ".: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_with_their_sections),
        cmocka_unit_test(mistakes_name_file_and_line),
        cmocka_unit_test(what_would_be_cut_is_refused),
        cmocka_unit_test(a_file_that_is_not_there_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
