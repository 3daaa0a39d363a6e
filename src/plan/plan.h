/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan.h: the folder plan/, from the catalogue to concrete probe points of one ELF file. Reads the file only
 * (no process, no rights); every byte of it is untrusted. The only header of the folder that other stages
 * need; the way through it:
 *
 *   elf       segments, symbols, PLT slots of the file, by bounded reads (symbols.c)
 *   match     which of its functions the catalogue's rows name; demangle: symbols to signatures
 *   identity  what it is: version, build id, layouts
 *   flow      instructions and control flow of one function, and in exits.c where it is left; below it
 *             insn and disasm (decoding), cfi and dwarf (.eh_frame), reader (bounded values), bound
 *   values    in which register an argument lies at a point
 *   captures  what the kernel is told to read there
 *   function  one function's points put together of these
 *   plan      all of a file's; report.c shows it
 *   pointers  words that hold addresses (relocations); on top of them
 *   types     and classes: the C++ classes of a server and what lies in their virtual tables
 *   methods   their functions planned
 *   calls     functions of other files, planned where they are called
 *   holds     what a file has of all this
 *   probes    what the user asks for (its text: probe_text.c)
 *   source    what of the file the plan was made from: its proof when it is met again
 *   cache     plans on disk (cache.h, for attach/)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blake2b.h"
#include "base/build_id.h"
#include "catalogue/catalogue.h"
#include "tangotrace/event.h"

struct tt_plan_point {
    uint64_t offset;       /* in the file: what the link is given */
    uint64_t address;      /* virtual address in the file */
    uint8_t bytes[16];     /* of the instruction there, as in the file */
    uint8_t length;        /* of the instruction */
    bool emulated;         /* the kernel emulates it (push, nop, jcc, jmp, call rel32); else single-stepped */
    bool is_call;          /* harms programs with a user shadow stack: tt_plan_leave_out_calls */
    char text[48];         /* disassembly, for people */
    uint32_t function;     /* index into tt_plan.functions */
    struct tt_point point; /* what the kernel is told; `function` = catalogue row, `file` left 0 */
};

struct tt_plan_function {
    uint32_t row;    /* see tt_plan_row */
    char *symbol;    /* mangled, owned */
    char *signature; /* demangled, owned */
    uint64_t address, size;
    uint32_t first, count; /* its points in tt_plan.points; 0 points = not covered */
    char *refused;         /* why it is not covered or only entry is; NULL = covered; owned */
    char *note; /* remarks on a covered one: captures left out, exits shared with others; or NULL; owned */
    bool entry_only; /* has an entry point but no usable exits: its frame ends with an enclosing or later one
                      */
};

/*
 * What a plan was made from: the size of the file and the bytes that the planner looked at, no others. A file
 * with the same there gets the same plan, but for what its name says (version, omni).
 */
struct tt_plan_source {
    uint64_t file_size;
    struct tt_plan_range {
        uint64_t offset, size;
    } * ranges; /* ascending, owned */
    size_t range_count;
    uint8_t digest[TT_DIGEST_SIZE]; /* of all of it */
};

struct tt_plan {
    char *path;                        /* as given, owned */
    uint8_t build_id[TT_BUILD_ID_MAX]; /* NT_GNU_BUILD_ID; length 0 = none */
    size_t build_id_size;
    char *soname;  /* DT_SONAME or NULL, owned */
    char *version; /* library version for people, from soname/file name ("9.3.4"), or NULL, owned */
    bool library[TT_LIBRARIES]; /* what the file holds */
    const struct tt_layout
        *layout; /* of Tango objects; NULL: none recognised, then no fields of them are captured */
    const struct tt_omni_layout *omni;
    struct tt_plan_function *functions;
    size_t function_count;
    struct tt_plan_point *points;
    size_t point_count;
    struct tt_plan_source source;
    struct tt_row **rows; /* made for functions of this file; owned */
    size_t row_count;
    double seconds; /* time taken */
};

/* The row of a function: of the catalogue, or behind those one of the plan's own. */
const struct tt_row *tt_plan_row(const struct tt_plan *plan, uint32_t row);

/*
 * Plans the file behind `fd` (read from offset 0 by pread/mmap; the descriptor stays the caller's); `path` is
 * for messages and version only. On success *result is the caller's (free with tt_plan_free). Returns 0;
 * -ENOENT if the file has none of the catalogued libraries' functions (not an error, nothing logged); -EINVAL
 * or another negative errno if it is no ELF file that can be used; then *error (owned by the caller, may be
 * NULL when out of memory) says why.
 */
int tt_plan_file(int fd, const char *path, struct tt_plan **result, char **error);

/*
 * What a cppTango library tells of its own classes, so that those derived from them can be found in the files
 * of device servers. 0; -ENOENT: the file holds no cppTango; another negative errno, *error as above. Lives
 * on its own, free with tt_bases_free.
 */
struct tt_bases;
int tt_bases_read(int fd, const char *path, struct tt_bases **result, char **error);
void tt_bases_free(struct tt_bases **bases);

/*
 * Plans the functions of device classes that are in the file, for processes that map it beside the cppTango
 * of `bases`. As tt_plan_file; -ENOENT: there are none.
 */
int tt_plan_methods(int fd, const char *path, const struct tt_bases *bases, struct tt_plan **result,
                    char **error);

/*
 * Functions that the user asks for: "function=MyDevice::compute*; file=libmono*; arguments=1 int energy".
 */
struct tt_probes;
/* 0; -EINVAL with *error (owned by the caller); -ENOMEM. */
int tt_probe_check(const char *text, char **error);
/* Of checked texts. 0, or a negative errno. Lives on its own, free with tt_probes_free. */
int tt_probes_new(const char *const *texts, size_t count, struct tt_probes **probes);
void tt_probes_free(struct tt_probes **probes);
/* The function of the next probe, from *next on (0: the first), that was in no file so far; NULL: no more. */
const char *tt_probes_missed(const struct tt_probes *probes, size_t *next);
/* Do the same of them look into files of these two paths? Else two copies of one file have two plans. */
bool tt_probes_alike(const struct tt_probes *probes, const char *path, const char *other);

struct tt_probes_context {
    struct tt_probes *probes;
    const struct tt_bases *bases;        /* cppTango beside it; NULL: not known, then no objects are read */
    const struct tt_plan *const *others; /* of the same file: what is traced there already; may hold NULL */
    size_t other_count;
};

/* Plans those of them that are in the file. As tt_plan_file; -ENOENT: there are none. */
int tt_plan_probes(int fd, const char *path, const struct tt_probes_context *context, struct tt_plan **result,
                   char **error);

/* Name of the cppTango library that the file was linked with ("libtango.so.9"), or NULL; the caller's. */
char *tt_plan_needs_tango(int fd);

/* Cheap test by symbols: sets holds[library]; `probes`: of the user, or NULL; `path` is for them. 0, or a
 * negative errno for an unusable file. */
int tt_plan_probe(const struct tt_probes *probes, int fd, const char *path, bool holds[TT_HOLDS]);

/* Where things lie in a file that holds Python's interpreter, counted from the start of a mapping of it. */
struct tt_plan_python {
    unsigned minor;    /* version; 0: not known */
    uint32_t version;  /* PY_VERSION_HEX; 0: not known (before 3.11) */
    int64_t runtime;   /* _PyRuntime */
    int64_t method;    /* PyMethod_Type; 0: not known */
    int64_t bss;       /* the data that the file has no bytes of .. */
    uint64_t bss_size; /* .. and how much that is */
};

/* Of a mapping at that file offset. 0; -ENOENT: the file exports no _PyRuntime; another negative errno. */
int tt_plan_python(int fd, uint64_t mapping_offset, struct tt_plan_python *python);

/* Takes out the points of all functions that have one on a `call` (one whose exits are not all seen would
 * give wrong spans). Number of functions. */
size_t tt_plan_leave_out_calls(struct tt_plan *plan);

void tt_plan_free(struct tt_plan **plan);

/* Traps that a read or command takes in functions of this file at that level of detail, both sides together:
 * an entry and an exit of each function. */
unsigned tt_plan_traps(const struct tt_plan *plan, enum tt_usual usual, enum tt_detail detail);

/* Prints the plan for people, or as JSON. */
struct tt_json;
void tt_plan_print(const struct tt_plan *plan, bool all_points);
void tt_plan_to_json(const struct tt_plan *plan, struct tt_json *json);
