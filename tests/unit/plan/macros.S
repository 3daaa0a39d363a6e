/* SPDX-License-Identifier: GPL-2.0-only */
/* macros.S: begin and end of a function, for the other files here. */
	.macro fn name
	.globl \name
	.type \name,@function
	.p2align 4
\name:
	.cfi_startproc
	.endm
	.macro endfn name
	.cfi_endproc
	.size \name,.-\name
	.endm
