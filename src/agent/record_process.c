/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * record_process.c: fields of the record PROCESS: all of struct tt_process that the pipeline uses. Tags are
 * for ever: new ones at the end.
 */
#include <stddef.h>
#include <string.h>

#include "agent/recorder.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "enrich/convert.h"

#define TEXT_MAX  4096
#define WORDS_MAX 64
#define FILES_MAX 64

enum kind { TEXT, NUMBER32, NUMBER64, FLAG };
enum { TAG_WORD = 40, TAG_FILE = 41 };
enum { FILE_PATH = 1, FILE_LIBRARIES, FILE_VERSION, FILE_BUILD_ID };

static const struct {
    unsigned tag;
    enum kind kind;
    size_t offset;
} process_fields[] = {
#define PROCESS(number, kind, field)                                                                         \
    {                                                                                                        \
        number, kind, offsetof(struct tt_process, field)                                                     \
    }
    PROCESS(1, NUMBER32, pid),
    PROCESS(2, NUMBER64, start_ticks),
    PROCESS(3, NUMBER64, start_unix_ns),
    PROCESS(4, NUMBER32, parent),
    PROCESS(5, NUMBER32, uid),
    PROCESS(6, TEXT, user),
    PROCESS(7, TEXT, exe),
    PROCESS(8, TEXT, script),
    PROCESS(9, TEXT, server),
    PROCESS(10, TEXT, serves_as),
    PROCESS(11, TEXT, name),
    PROCESS(12, TEXT, runtime),
    PROCESS(13, TEXT, tango_host),
    PROCESS(14, TEXT, cgroup),
    PROCESS(15, NUMBER64, netns),
    PROCESS(16, FLAG, tango),
    PROCESS(17, FLAG, switches_stacks),
    PROCESS(18, FLAG, selected),
    PROCESS(19, TEXT, rule),
    PROCESS(20, FLAG, native),
    PROCESS(21, TEXT, python),
    PROCESS(22, TEXT, python_all),
#undef PROCESS
};

_Static_assert(sizeof(pid_t) == 4 && sizeof(uid_t) == 4, "NUMBER32");

/* ---- writing ---- */

static void put_text(struct tt_text *out, unsigned tag, const char *text)
{
    if (text)
        tt_tags_put(out, tag, text, strnlen(text, TEXT_MAX));
}

/* The same that enrich lets out: of the command line no more than the first word, unless asked for. */
static void put_words(struct tt_text *out, const struct tt_process *process, bool command_lines)
{
    struct tt_arena arena = {0};
    char *const *argv = process->argv;
    const char *first = argv ? argv[0] : NULL;

    if (first && process->exe && !strcmp(first, process->exe))
        put_text(out, TAG_WORD, first);
    else if (first)
        tt_tags_put(out, TAG_WORD, first, strcspn(first, " \t\r\n"));
    for (size_t i = 1; first && command_lines && argv[i] && i < WORDS_MAX; i++)
        put_text(out, TAG_WORD, tt_convert_masked(&arena, argv[i], argv[i - 1], TEXT_MAX));
    tt_arena_free(&arena);
}

static void put_file(struct tt_text *out, const struct tt_mapped_file *file)
{
    struct tt_text text = {0};
    uint64_t libraries = 0;

    for (unsigned i = 0; i < TT_LIBRARIES; i++)
        libraries |= (uint64_t)file->library[i] << i;
    put_text(&text, FILE_PATH, file->path);
    tt_tags_put_u64(&text, FILE_LIBRARIES, libraries);
    put_text(&text, FILE_VERSION, file->version);
    tt_tags_put(&text, FILE_BUILD_ID, file->build_id, file->build_id_size);
    out->failed |= text.failed;
    tt_tags_put(out, TAG_FILE, text.data, text.size);
    tt_text_free(&text);
}

void tt_recording_put_process(struct tt_text *out, const struct tt_process *process, bool command_lines)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(process_fields); i++) {
        const char *at = (const char *)process + process_fields[i].offset;
        unsigned tag = process_fields[i].tag;

        if (process_fields[i].kind == TEXT)
            put_text(out, tag, *(char *const *)at);
        else if (process_fields[i].kind == NUMBER32)
            tt_tags_put_u64(out, tag, *(const uint32_t *)at);
        else if (process_fields[i].kind == NUMBER64)
            tt_tags_put_u64(out, tag, *(const uint64_t *)at);
        else
            tt_tags_put_u64(out, tag, *(const bool *)at);
    }
    put_words(out, process, command_lines);
    for (size_t i = 0; i < process->file_count && i < FILES_MAX; i++)
        put_file(out, &process->files[i]);
}

/* ---- reading ---- */

static bool set_field(struct tt_process *process, size_t row, const struct tt_tag *field)
{
    char *at = (char *)process + process_fields[row].offset;

    switch (process_fields[row].kind) {
    case TEXT:
        free(*(char **)at);
        *(char **)at = tt_tag_text(field);
        return *(char **)at;
    case NUMBER32:
        *(uint32_t *)at = (uint32_t)tt_tag_number(field);
        return true;
    case NUMBER64:
        *(uint64_t *)at = tt_tag_number(field);
        return true;
    case FLAG:
        *(bool *)at = tt_tag_number(field) != 0;
        return true;
    }
    return true;
}

static bool set_file_field(struct tt_mapped_file *file, const struct tt_tag *field)
{
    char **text = field->tag == FILE_PATH ? &file->path : &file->version;
    uint64_t libraries;

    switch (field->tag) {
    case FILE_PATH:
    case FILE_VERSION:
        free(*text);
        *text = tt_tag_text(field);
        return *text;
    case FILE_LIBRARIES:
        libraries = tt_tag_number(field);
        for (unsigned i = 0; i < TT_LIBRARIES; i++)
            file->library[i] = libraries >> i & 1;
        return true;
    case FILE_BUILD_ID:
        file->build_id_size = field->size < sizeof(file->build_id) ? field->size : sizeof(file->build_id);
        memcpy(file->build_id, field->data, file->build_id_size);
        return true;
    default:
        return true;
    }
}

static bool add_file(struct tt_process *process, const struct tt_tag *field)
{
    struct tt_tags fields = tt_tags_of(field->data, field->size);
    struct tt_mapped_file *files;
    struct tt_tag part;

    if (process->file_count == FILES_MAX)
        return true;
    files = reallocarray(process->files, process->file_count + 1, sizeof(*files));
    if (!files)
        return false;
    process->files = files;
    files += process->file_count++;
    *files = (struct tt_mapped_file){0};
    while (tt_tags_next(&fields, &part)) {
        if (!set_file_field(files, &part))
            return false;
    }
    return true;
}

/* The words in one block with their pointers, as tt_process_put frees it. */
static bool set_words(struct tt_process *process, const struct tt_tag *words, size_t count)
{
    size_t size = (count + 1) * sizeof(char *);
    char *text;

    for (size_t i = 0; i < count; i++)
        size += words[i].size + 1;
    process->argv = count ? calloc(1, size) : NULL;
    if (!process->argv)
        return !count;
    text = (char *)(process->argv + count + 1);
    for (size_t i = 0; i < count; i++) {
        process->argv[i] = memcpy(text, words[i].data, words[i].size);
        text += words[i].size + 1;
    }
    return true;
}

static bool read_fields(struct tt_process *process, const void *data, size_t size)
{
    struct tt_tags fields = tt_tags_of(data, size);
    struct tt_tag field, words[WORDS_MAX];
    size_t count = 0;

    while (tt_tags_next(&fields, &field)) {
        if (field.tag == TAG_WORD && count < WORDS_MAX)
            words[count++] = field;
        if (field.tag == TAG_FILE && !add_file(process, &field))
            return false;
        for (size_t i = 0; i < TT_ARRAY_SIZE(process_fields); i++) {
            if (process_fields[i].tag == field.tag && !set_field(process, i, &field))
                return false;
        }
    }
    return set_words(process, words, count) && process->pid > 0;
}

struct tt_process *tt_recording_get_process(const void *data, size_t size)
{
    struct tt_process *process = calloc(1, sizeof(*process));

    if (!process)
        return NULL;
    process->refs = 1;
    if (!read_fields(process, data, size))
        tt_process_put(&process);
    return process;
}
