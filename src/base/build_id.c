/* SPDX-License-Identifier: GPL-2.0-only */
/* build_id.c: the build id of an ELF file by a few bounded reads; nothing of the file is mapped or trusted.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/build_id.h"

#define HEADERS_MAX 256       /* program headers looked at */
#define NOTES_MAX   (1 << 14) /* bytes of one note segment looked at */

static int find_note(const uint8_t *notes, size_t size, uint8_t id[TT_BUILD_ID_MAX], size_t *id_size)
{
    size_t at = 0;

    while (size - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        size_t name, desc;

        memcpy(&note, notes + at, sizeof(note));
        at += sizeof(note);
        if (note.n_namesz > size || note.n_descsz > size)
            return -EINVAL;
        name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name > size - at || note.n_descsz > size - at - name)
            return -EINVAL;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(notes + at, "GNU", 4)) {
            size_t n = note.n_descsz < TT_BUILD_ID_MAX ? note.n_descsz : TT_BUILD_ID_MAX;

            memcpy(id, notes + at + name, n);
            *id_size = n;
            return 0;
        }
        if (desc > size - at - name)
            break;
        at += name + desc;
    }
    return -ENOENT;
}

int tt_build_id_read(int fd, uint8_t id[TT_BUILD_ID_MAX], size_t *size)
{
    uint8_t notes[NOTES_MAX];
    Elf64_Ehdr header;

    if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_phentsize != sizeof(Elf64_Phdr) ||
        header.e_phoff > INT64_MAX / 2)
        return -EINVAL;
    for (unsigned i = 0; i < header.e_phnum && i < HEADERS_MAX; i++) {
        Elf64_Phdr segment;
        ssize_t n;

        if (pread(fd, &segment, sizeof(segment), (off_t)(header.e_phoff + i * sizeof(segment))) !=
            sizeof(segment))
            return -EINVAL;
        if (segment.p_type != PT_NOTE || segment.p_offset > INT64_MAX / 2)
            continue;
        n = pread(fd, notes, segment.p_filesz < NOTES_MAX ? segment.p_filesz : NOTES_MAX,
                  (off_t)segment.p_offset);
        if (n > 0 && !find_note(notes, (size_t)n, id, size))
            return 0;
    }
    return -ENOENT;
}
