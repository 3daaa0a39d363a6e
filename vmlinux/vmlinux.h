/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmlinux.h: the few kernel types that bpf/ reads, so that building needs no BTF on the builder. Offsets are
 * relocated (CO-RE) against the running kernel's BTF when the program is loaded; only names and kinds count
 * here. Fields the kernel keeps in anonymous unions are found by name.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PROG_ARRAY = 3,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum {
    BPF_F_NO_PREALLOC = 1,
    BPF_RB_NO_WAKEUP = 1,
    BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

/* arch/x86/include/asm/ptrace.h: the context of a uprobe program. Fixed layout, not relocated. */
struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    unsigned long orig_ax, ip, cs, flags, sp, ss;
};

struct bpf_raw_tracepoint_args {
    __u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net {
    u64 net_cookie; /* since 5.12, commit 3d368ab87cf6 */
};

typedef struct {
    struct net *net;
} possible_net_t;

struct in6_addr {
    union {
        __u8 u6_addr8[16];
    } in6_u;
};

struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

struct sock {
    struct sock_common __sk_common;
    struct socket *sk_socket;
};

struct unix_sock {
    struct sock sk;
    struct sock *peer;
};

struct socket {
    struct sock *sk;
};

struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
};

struct socket_alloc {
    struct socket socket;
    struct inode vfs_inode;
};

struct qstr {
    const unsigned char *name;
};

struct dentry {
    struct qstr d_name;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct inode *f_inode;
    struct path f_path;
    void *private_data;
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct mm_struct {
    unsigned long arg_start, arg_end;
    struct file *exe_file;
};

typedef struct {
    unsigned int val;
} kuid_t;

struct cred {
    kuid_t uid;
};

struct thread_struct {
    unsigned long fsbase; /* x86-64: what pthread_self() gives */
};

struct task_struct {
    int pid;
    int tgid;
    u64 start_boottime; /* since 5.5, commit cf25e24db61c */
    struct files_struct *files;
    struct mm_struct *mm;
    struct task_struct *real_parent, *group_leader;
    const struct cred *cred;
    void *bpf_storage; /* since 5.11, commit a10787e6d58c */
    char comm[16];
    struct thread_struct thread;
};

#pragma clang attribute pop

#endif
