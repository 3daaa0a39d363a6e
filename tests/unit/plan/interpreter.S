/* SPDX-License-Identifier: GPL-2.0-only */
/* interpreter.S: functions of CPython as gcc makes them without a stack protector, in builds of one's own (pyenv, conda);
 * for test_calls.c. */
	.text
#include "macros.S"
	/* puts the result aside while it lets go of the bound method */
	fn PyObject_CallMethod
	push %rbx
	.cfi_def_cfa_offset 16
	sub $16,%rsp
	.cfi_def_cfa_offset 32
	mov %rdi,%rbx
	call helper@PLT
	subq $1,(%rbx)
	je 1f
	add $16,%rsp
	.cfi_remember_state
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_restore_state
	mov %rbx,%rdi
	mov %rax,8(%rsp)
	call _Py_Dealloc@PLT
	mov 8(%rsp),%rax
	add $16,%rsp
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn PyObject_CallMethod
	/* what it calls last is the method */
	fn PyObject_CallFunction
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	sub $8,%rsp
	.cfi_def_cfa_offset 16
	call helper@PLT
	add $8,%rsp
	.cfi_def_cfa_offset 8
	ret
	endfn PyObject_CallFunction
	.section .note.GNU-stack,"",@progbits
