/* SPDX-License-Identifier: GPL-2.0-only */
/* functions.S: small functions for test_flow.c and test_plan.c, each with one thing that the planner has to get right. */
	.text
#include "macros.S"
	fn _ZN5Tango11DeviceProxy4pingEv
	push %rbx
	.cfi_def_cfa_offset 16
	sub $16,%rsp
	.cfi_def_cfa_offset 32
	mov %fs:40,%rax
	mov %rax,8(%rsp)
	call helper
	mov 8(%rsp),%rdx
	sub %fs:40,%rdx
	jne 1f
	add $16,%rsp
	.cfi_remember_state
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_restore_state
	call __stack_chk_fail@PLT
	endfn _ZN5Tango11DeviceProxy4pingEv
	fn _ZN5Tango11DeviceProxy5stateEv
	push %rbp
	.cfi_def_cfa_offset 16
	mov %rsp,%rbp
	.cfi_def_cfa_register 6
	test %rdi,%rdi
	je 2f
	cmp $3,%esi
	ja 2f
	lea table(%rip),%rdx
	movslq (%rdx,%rsi,4),%rax
	add %rdx,%rax
	notrack jmp *%rax
10:	call helper
11:	nop
	jmp 2f
12:	ud2
2:	leave
	.cfi_remember_state
	.cfi_def_cfa 7,8
	jmp helper2@PLT
	.cfi_restore_state
	endfn _ZN5Tango11DeviceProxy5stateEv
	/* nothing emulated before the loop in which it tries again */
	fn _ZN5Tango11DeviceProxy4nameEv
	sub $0x18,%rsp
	.cfi_def_cfa_offset 32
	mov %rdi,%r10
1:	mov %r10,%rdi
	call helper
	test %eax,%eax
	jne 1b
	add $0x18,%rsp
	.cfi_def_cfa_offset 8
	ret
	endfn _ZN5Tango11DeviceProxy4nameEv
	fn _ZN5Tango12Device_4Impl15command_inout_4EPKcRKN5CORBA3AnyENS_9DevSourceERKNS_9ClntIdentE
	endbr64
	push %r12
	.cfi_def_cfa_offset 16
	mov (%rdi),%rax
	pop %r12
	.cfi_def_cfa_offset 8
	jmp *16(%rax)
	endfn _ZN5Tango12Device_4Impl15command_inout_4EPKcRKN5CORBA3AnyENS_9DevSourceERKNS_9ClntIdentE
	fn _ZN5Tango12Device_5Impl17read_attributes_5ERKNS_17DevVarStringArrayENS_9DevSourceERKNS_9ClntIdentE
	.cfi_personality 0x9b,DW.ref.p
	.cfi_lsda 0x1b,lsda
	push %r12
	.cfi_def_cfa_offset 16
	mov %rdi,%r12
3:	call helper
4:	test %rax,%rax
	je 5f
	mov %r12,%rax
	pop %r12
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
5:	.cfi_restore_state
	call helper2@PLT
	xor %eax,%eax
	pop %r12
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
6:	.cfi_restore_state
	mov %rax,%rdi
	call __cxa_begin_catch
	jmp 5b
	endfn _ZN5Tango12Device_5Impl17read_attributes_5ERKNS_17DevVarStringArrayENS_9DevSourceERKNS_9ClntIdentE
	fn __cxa_begin_catch
	endbr64
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn __cxa_begin_catch
	fn _ZN4omni6GIOP_C12ReceiveReplyEv
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn _ZN4omni6GIOP_C12ReceiveReplyEv
	fn _ZN4omni18omni_is_a_CallDesc4lcfnEP18omniCallDescriptorP11omniServant
	sub $8,%rsp
	.cfi_def_cfa_offset 16
	call *(%rdi)
	add $8,%rsp
	.cfi_def_cfa_offset 8
	ret
	endfn _ZN4omni18omni_is_a_CallDesc4lcfnEP18omniCallDescriptorP11omniServant
	.globl _ZN5Tango11DeviceProxy14read_attributeERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE
	.type _ZN5Tango11DeviceProxy14read_attributeERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE,@function
_ZN5Tango11DeviceProxy14read_attributeERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE:
	.cfi_startproc
	push %r13
	.cfi_def_cfa_offset 16
	mov %rdi,%r13
	call helper
	jne 7f
	mov %r13,%rax
	pop %r13
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
7:	.cfi_restore_state
	jmp cold
	.cfi_endproc
	.size _ZN5Tango11DeviceProxy14read_attributeERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE,.-_ZN5Tango11DeviceProxy14read_attributeERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE
	/* saved by moves and not by pushes; asks an object of its own before its first direct call */
	fn _ZN5Tango10Connection19Cb_ReadAttr_RequestEPN5CORBA7RequestEPNS_8CallBackE
	sub $0x38,%rsp
	.cfi_def_cfa_offset 64
	mov %rbx,0x30(%rsp)
	.cfi_offset 3,-16
	mov %rdi,8(%rsp)
	mov %rsi,%rbx
	mov (%rsi),%rax
	mov %rsi,%rdi
	call *0x20(%rax)
	mov 8(%rsp),%rdi
	call helper
	jne 1f
	mov 0x30(%rsp),%rbx
	add $0x38,%rsp
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_restore_state
	call __stack_chk_fail@PLT
	endfn _ZN5Tango10Connection19Cb_ReadAttr_RequestEPN5CORBA7RequestEPNS_8CallBackE
	/* arguments on the stack */
	fn _ZN5Tango16ZmqEventSupplier10push_eventEPNS_10DeviceImplENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERSt6vectorIS8_SaIS8_EERS9_IdSaIdEESC_RS9_IlSaIlEERNS_13EventSupplier17SuppliedEventDataERS8_PNS_9DevFailedEb
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn _ZN5Tango16ZmqEventSupplier10push_eventEPNS_10DeviceImplENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERSt6vectorIS8_SaIS8_EERS9_IdSaIdEESC_RS9_IlSaIlEERNS_13EventSupplier17SuppliedEventDataERS8_PNS_9DevFailedEb
	/* a method whose entry may be seen twice */
	fn _ZN5Tango12Device_2Impl17read_attributes_2ERKNS_17DevVarStringArrayENS_9DevSourceE
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	dec %esi
	jne _ZN5Tango12Device_2Impl17read_attributes_2ERKNS_17DevVarStringArrayENS_9DevSourceE
	ret
	endfn _ZN5Tango12Device_2Impl17read_attributes_2ERKNS_17DevVarStringArrayENS_9DevSourceE
	/* both ways of a branch lead out */
	fn _ZN5Tango11DeviceProxy4infoEv
	push %rbx
	.cfi_def_cfa_offset 16
	call helper
	test %eax,%eax
	jle 1f
	mov $1,%eax
	pop %rbx
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_restore_state
	xor %eax,%eax
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn _ZN5Tango11DeviceProxy4infoEv
	/* the same code, as the linker may find */
	.globl _ZN5Tango11DeviceProxy9black_boxEi
	.type _ZN5Tango11DeviceProxy9black_boxEi,@function
	.set _ZN5Tango11DeviceProxy9black_boxEi,_ZN5Tango11DeviceProxy4infoEv
	/* the object is lost before anything that is emulated */
	fn _ZN14omniCallHandle6upcallEP11omniServantR18omniCallDescriptor
	mov %rsi,%rdi
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn _ZN14omniCallHandle6upcallEP11omniServantR18omniCallDescriptor
	.hidden helper
	fn helper
	ret
	endfn helper
	/* ---- for test_flow.c: no names of the catalogue ---- */

	/* jumps into the middle of its own instruction */
	fn t_overlap
	push %rbx
	.cfi_def_cfa_offset 16
	test %rdi,%rdi
	je 1f+1
1:	mov $0x90909090,%eax
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_overlap

	/* its first instruction is the head of a loop */
	fn t_loop
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	dec %edi
	jne t_loop
	ret
	endfn t_loop

	/* two branches to the same ending, nothing emulated behind the second: conditions of both edges */
	fn t_edges
	push %rbx
	.cfi_def_cfa_offset 16
	mov %rdi,%rbx
	test %edi,%edi
	je 1f
	cmp $7,%edi
	ja 1f
	call helper2@PLT
	test %eax,%eax
	jle 1f
	mov $1,%eax
	mov %rbx,%rcx
	pop %rbx
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_restore_state
	xor %eax,%eax
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_edges

	/* CFA in rbp, value returned from the stack */
	fn t_rbp
	push %rbp
	.cfi_def_cfa_offset 16
	mov %rsp,%rbp
	.cfi_def_cfa_register 6
	sub $48,%rsp
	and $-32,%rsp
	mov %rdi,-24(%rbp)
	call helper2@PLT
	test %eax,%eax
	js 1f
	mov -24(%rbp),%rax
	leave
	.cfi_remember_state
	.cfi_def_cfa 7,8
	ret
1:	.cfi_restore_state
	ud2
	endfn t_rbp

	/* no instruction that is emulated at all */
	fn t_plain
	lea 1(%rdi),%rax
	ret
	endfn t_plain

	/* an indirect call nearest to the exit */
	fn t_indirect
	push %rbx
	.cfi_def_cfa_offset 16
	call *(%rdi)
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_indirect

	/* the same; what it returns is put aside before */
	fn t_aside
	push %rbx
	.cfi_def_cfa_offset 16
	mov %rsi,%rbx
	test %rsi,%rsi
	je 1f
	call *(%rdi)
1:	mov %rbx,%rax
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_aside

	/* the argument is saved, then overwritten, before the first emulated instruction */
	fn t_late
	sub $24,%rsp
	.cfi_def_cfa_offset 32
	mov %rdi,%r10
	mov %rsi,%rdi
	call helper2@PLT
	add $24,%rsp
	.cfi_def_cfa_offset 8
	ret
	endfn t_late

	/* arguments put into the frame: rdi kept, rsi written over through another register, 4 bytes of rdx, rcx in a
	   place that rsp leaves again, r8 gone */
	fn t_frame
	sub $56,%rsp
	.cfi_def_cfa_offset 64
	mov %rcx,(%rsp)
	mov %rdi,8(%rsp)
	mov %rsi,16(%rsp)
	mov %edx,24(%rsp)
	lea 12(%rsp),%rdi
	movl $0,8(%rdi)
	movb $1,(%rcx)
	movl $2,28(%rsp)
	add $8,%rsp
	.cfi_def_cfa_offset 56
	xor %esi,%esi
	xor %edx,%edx
	xor %ecx,%ecx
	xor %r8d,%r8d
	call helper2@PLT
	add $48,%rsp
	.cfi_def_cfa_offset 8
	ret
	endfn t_frame

	/* a write to who knows where, and one by a callee */
	fn t_lost
	sub $24,%rsp
	.cfi_def_cfa_offset 32
	mov %rdi,8(%rsp)
	mov (%rsp),%rax
	movl $0,(%rax)
	mov %rsi,16(%rsp)
	xor %edi,%edi
	xor %esi,%esi
	call helper2@PLT
	call helper2@PLT
	nop
	add $24,%rsp
	.cfi_def_cfa_offset 8
	ret
	endfn t_lost

	/* calls what never returns, with the shared ending right behind */
	fn t_noreturn
	push %rbx
	.cfi_def_cfa_offset 16
	test %rdi,%rdi
	jne 1f
	call abort@PLT
1:	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	endfn t_noreturn

	/* behind its first call lies what others lead to, behind its second nothing */
	fn t_last
	push %rbx
	.cfi_def_cfa_offset 16
	test %rdi,%rdi
	je 1f
	test %rsi,%rsi
	je 2f
	call helper2@PLT
	pop %rbx
	.cfi_remember_state
	.cfi_def_cfa_offset 8
	ret
1:	.cfi_restore_state
	call helper
2:	call t_never
	endfn t_last
	.hidden t_never
	fn t_never
	ud2
	endfn t_never

	/* jumps to another function with its frame in place */
	fn t_in_place
	push %rbx
	.cfi_def_cfa_offset 16
	jmp helper2@PLT
	endfn t_in_place

	/* jumps to nobody knows where inside itself */
	fn t_unknown
	push %rbx
	.cfi_def_cfa_offset 16
	jmp *%rdi
	endfn t_unknown

	/* a ret that nothing is seen to lead to */
	fn t_dead
	push %rbx
	.cfi_def_cfa_offset 16
	pop %rbx
	.cfi_def_cfa_offset 8
	ret
	ret
	endfn t_dead

	/* two rets reached through one table of jumps; the case label is an ending of its own */
	fn t_table
	cmp $2,%edi
	ja 1f
	lea table2(%rip),%rdx
	movslq (%rdx,%rdi,4),%rax
	add %rdx,%rax
	jmp *%rax
20:	mov $1,%eax
	ret
21:	mov $2,%eax
	ret
1:	xor %eax,%eax
	ret
	endfn t_table

	.section .rodata
	.p2align 2
table2:	.long 20b-table2
	.long 21b-table2
	.text
	.section .text.unlikely,"ax",@progbits
cold:	.cfi_startproc
	.cfi_def_cfa_offset 16
	call helper
	pop %r13
	.cfi_def_cfa_offset 8
	ret
	.cfi_endproc
	.section .rodata
	.p2align 2
table:	.long 10b-table
	.long 11b-table
	.long 12b-table
	.long 2b-table
	.section .gcc_except_table,"a"
lsda:	.byte 0xff,0xff,1
	.uleb128 9f-8f
8:	.uleb128 3b-_ZN5Tango12Device_5Impl17read_attributes_5ERKNS_17DevVarStringArrayENS_9DevSourceERKNS_9ClntIdentE
	.uleb128 4b-3b
	.uleb128 6b-_ZN5Tango12Device_5Impl17read_attributes_5ERKNS_17DevVarStringArrayENS_9DevSourceERKNS_9ClntIdentE
	.uleb128 1
9:
	.data
DW.ref.p: .quad 0
	.section .note.GNU-stack,"",@progbits
