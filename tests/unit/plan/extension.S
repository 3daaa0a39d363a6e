/* SPDX-License-Identifier: GPL-2.0-only */
/* extension.S: calls as PyTango's extension has them, for test_calls.c. Each function calls what bound methods are
 * called by, or looks as if. */
	.text
#include "macros.S"
	/* the argument comes from wherever, the frame begins at the call */
	fn t_once
	push %rbx
	.cfi_def_cfa_offset 16
	mov 8(%rdi),%rdi
	test %rdi,%rdi
	je 1f
	add $8,%rsi
1:	call PyObject_Vectorcall@PLT
	test %rax,%rax
	jne 2f
	xor %eax,%eax
2:	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_once
	/* one frame would be entered many times */
	fn t_loop
	push %rbx
	.cfi_def_cfa_offset 16
3:	call PyObject_Vectorcall@PLT
	test %rax,%rax
	jne 3b
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_loop
	fn t_twice
	push %rbx
	.cfi_def_cfa_offset 16
	call PyObject_Vectorcall@PLT
	call PyObject_Vectorcall@PLT
	test %rax,%rax
	je 4f
4:	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_twice
	/* those bytes, inside another instruction: movabs $..,%rax */
	fn t_chance
	push %rbx
	.cfi_def_cfa_offset 16
	.byte 0x48,0xb8,0xe8
	.long PyObject_Vectorcall@PLT-4
	.byte 0,0,0
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_chance
	fn t_other
	push %rbx
	.cfi_def_cfa_offset 16
	call PyObject_Repr@PLT
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_other
#ifdef INLINED
	/* as Python 3.9 and 3.10 have PyObject_Vectorcall in their headers */
	fn t_inlined
	push %rbx
	.cfi_def_cfa_offset 16
	mov 8(%rdi),%rbx
	call PyThreadState_Get@PLT
	mov %rax,%rdi
	mov 8(%rbx),%rax
	test %rax,%rax
	je 5f
	call *%rax
	mov %rax,%rdx
	mov %rbx,%rsi
	call _Py_CheckFunctionResult@PLT
	test %rax,%rax
	jne 6f
5:	xor %eax,%eax
6:	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_inlined
	/* asks for it for something else */
	fn t_state
	push %rbx
	.cfi_def_cfa_offset 16
	call PyThreadState_Get@PLT
	mov %rax,%rdi
	mov %rbx,%rsi
	call PyThreadState_GetFrame@PLT
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_state
#endif
	/* its entry is fine, how it is left is not known: half of it would never end */
	fn t_half
	push %rbx
	.cfi_def_cfa_offset 16
	call PyObject_Vectorcall@PLT
	jmp *%rax
	endfn t_half
	/* .. and how it is left here is only known if what it calls last comes back */
	fn t_maybe
	push %rbx
	.cfi_def_cfa_offset 16
	call PyObject_Vectorcall@PLT
	test %rax,%rax
	jne 7f
	call unknown@PLT
7:	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_maybe
#ifdef PYTANGO
	fn PyInit__tango
	ret
	endfn PyInit__tango
#endif
	.section .note.GNU-stack,"",@progbits
