/* SPDX-License-Identifier: GPL-2.0-only */
/* demangle.h (private to plan): symbol names to the signatures of the catalogue. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Signature of a mangled symbol as the catalogue writes it: std::string for both ABIs, no default allocators,
 * no [abi:..] tags, no blank before '>'. A name that is not mangled is its own signature. The caller's
 * (free); NULL: not a valid name, or out of memory.
 */
char *tt_demangle(const char *symbol);

/* Brings a demangled text into that form, in place. */
void tt_demangle_normalise(char *text);

/*
 * What all symbols of a catalogue signature begin with, so that only likely ones need demangling: the mangled
 * nested name ("_ZN5Tango11DeviceProxy4pingE" without the E), or the name itself where there is no "::".
 * Writes at most `size` bytes; false if it does not fit.
 */
bool tt_demangle_prefix(const char *signature, char *prefix, size_t size);
