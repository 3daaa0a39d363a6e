/* SPDX-License-Identifier: GPL-2.0-only */
/* large.S: functions.S inside 50 MB of other code, for test_large.c: as many functions and symbols as
 * the largest device servers that hold all their libraries. Most look like cppTango's up to the last part of
 * their names; every 64th is one more overload of a catalogued one, with a signature of its own. */
#include "functions.S"
	.text
	.altmacro
	.macro other name
	fn \name
	endbr64
	push %rbx
	.cfi_def_cfa_offset 16
	test %rdi,%rdi
	je 1f
	.fill 25,8,0x9066906690669066
1:	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn \name
	.endm
	.set count,0
	.macro group number
	other _ZN5Tango11DeviceProxy14read_attributeERK10overloaded\number
	.set part,0
	.rept 63
	numbered \number,%part
	.set part,part+1
	.endr
	.endm
	.macro numbered number,part
	other _ZNK5Tango11DeviceProxy23something_else_that_is_\number\()_\part\()ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE
	.endm
	.rept 1600
	group %count
	.set count,count+1
	.endr
