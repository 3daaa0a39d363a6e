/* SPDX-License-Identifier: GPL-2.0-only */
/* giop.bpf.h: the key of a request: from omniORB's objects to the request id and the kernel's socket. */
#pragma once

#include "capture.bpf.h"

#define AF_UNIX  1
#define AF_INET  2
#define AF_INET6 10
#define S_IFMT   0170000
#define S_IFSOCK 0140000

static __always_inline void inet_identity(struct sock *sk, struct tt_connection *c)
{
    c->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    c->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
    if (c->family == AF_INET) {
        c->local[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        c->remote[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
        return;
    }
    BPF_CORE_READ_INTO(&c->local, sk, __sk_common.skc_v6_rcv_saddr);
    BPF_CORE_READ_INTO(&c->remote, sk, __sk_common.skc_v6_daddr);
    /* ::ffff:a.b.c.d: a dual-stack server sees its IPv4 clients so; both ends must look the same. */
    if (!c->local[0] && !c->remote[0] && (__u32)c->local[1] == 0xffff0000u &&
        (__u32)c->remote[1] == 0xffff0000u) {
        c->family = AF_INET;
        c->local[0] = c->local[1] >> 32;
        c->remote[0] = c->remote[1] >> 32;
        c->local[1] = c->remote[1] = 0;
    }
}

static __always_inline void unix_identity(struct sock *sk, __u64 inode, struct tt_connection *c)
{
    struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
    struct socket *socket = peer ? BPF_CORE_READ(peer, sk_socket) : 0;

    c->local[0] = (__u64)sk;
    c->local[1] = inode;
    c->remote[0] = (__u64)peer;
    /* Zero until the peer has accepted, and again once it has closed. */
    if (socket)
        c->remote[1] = BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

/* Identity of descriptor `fd` of the current process; leaves what is unknown zero. */
__attribute__((noinline)) int socket_identity(struct tt_key *key)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct tt_connection *c;
    struct fdtable *table;
    struct file *file = 0;
    struct file **files;
    struct inode *inode;
    struct socket *socket;
    struct sock *sk;

    if (!key)
        return 0;
    c = &key->connection;
    table = BPF_CORE_READ(task, files, fdt);
    if (!table || key->fd < 0 || (__u32)key->fd >= BPF_CORE_READ(table, max_fds))
        return 0;
    files = BPF_CORE_READ(table, fd);
    if (bpf_probe_read_kernel(&file, sizeof(file), files + key->fd) || !file)
        return 0;
    inode = BPF_CORE_READ(file, f_inode);
    if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
        return 0;
    socket = BPF_CORE_READ(file, private_data);
    sk = BPF_CORE_READ(socket, sk);
    if (!sk)
        return 0;
    c->family = BPF_CORE_READ(sk, __sk_common.skc_family);
    c->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
    if (c->family == AF_UNIX)
        unix_identity(sk, BPF_CORE_READ(inode, i_ino), c);
    else if (c->family == AF_INET || c->family == AF_INET6)
        inet_identity(sk, c);
    return 0;
}

/* Fills what the giopStream at `stream` tells. */
static __always_inline bool stream_key(const struct tt_giop_layout *l, __u64 stream, struct tt_key *key)
{
    bool ok = true;
    __u64 strand = user_u64(stream + l->stream_strand, &ok);
    __u64 connection;
    __u16 version = 0;

    key->request_id = user_u32(stream + l->stream_id, &ok);
    if (!ok)
        return false;
    connection = user_u64(strand + l->strand_connection, &ok);
    if (bpf_probe_read_user(&version, sizeof(version), (const void *)(strand + l->strand_version)))
        ok = false;
    key->giop_major = version & 0xff;
    key->giop_minor = version >> 8;
    if (ok && connection)
        key->fd = (__s32)user_u32(connection + l->connection_fd, &ok);
    return ok;
}

/* omni::GIOP_C::ReceiveReply(this): a request was just sent by this thread. GIOP_C holds its giopStream at +8
 * (omniORB 4.2, 4.3: GIOP_C.h, after the vtable). */
__attribute__((noinline)) int put_request(struct tt_thread *t, struct tt_point *p)
{
    /* omniCallDescriptor from pd_op on: pd_op, pd_oplen, pd_user_excns, pd_n_user_excns, pd_is_oneway
     * (omniORB4/callDescriptor.h; GIOP_C::ReceiveReply itself tests that byte, in 4.2 and 4.3) */
    struct {
        __u64 op, op_length, exceptions;
        __u32 exception_count;
        __u8 oneway, upcall, pad[2];
    } call = {};
    struct tt_key key = {};
    bool ok = true;
    __u64 self;

    if (!t || !p)
        return 0;
    self = t->regs[TT_REG_RDI];
    key.fd = -1;
    key.response_expected = 1;
    if (!stream_key(&p->giop, self + 8, &key)) {
        field_status(t, TT_FIELD_KEY, 0, TT_STATUS_FAULT);
        return 0;
    }
    socket_identity(&key);
    key.descriptor = user_u64(self + p->giop.call_descriptor, &ok);
    if (ok && key.descriptor &&
        bpf_probe_read_user(&call, sizeof(call), (const void *)(key.descriptor + p->giop.descriptor_op)))
        call.op = 0;
    if (call.op)
        key.response_expected = !call.oneway;
    FIELD_DATA(t, TT_FIELD_KEY, &key, sizeof(key));
    if (call.op)
        put_cstring(t, TT_FIELD_OPERATION, 0, 0, call.op);
    return 0;
}

/* omniCallHandle::upcall(this, ..): omniCallHandle {IOP_S *iop_s @0; call descriptor @8; const char *op
 * @0x10}; iop_s = 0 for calls inside the process. */
__attribute__((noinline)) int put_upcall(struct tt_thread *t, struct tt_point *p)
{
    struct {
        __u64 iop, descriptor, op;
    } handle = {};
    struct tt_key key = {};

    if (!t || !p)
        return 0;
    key.fd = -1;
    if (bpf_probe_read_user(&handle, sizeof(handle), (const void *)t->regs[TT_REG_RDI])) {
        field_status(t, TT_FIELD_KEY, 0, TT_STATUS_FAULT);
        return 0;
    }
    if (!handle.iop)
        return 0; /* no key: collocated */
    if (stream_key(&p->giop, handle.iop + 8, &key)) {
        __u8 expected = 0;

        socket_identity(&key);
        if (!bpf_probe_read_user(&expected, 1, (const void *)(handle.iop + p->giop.response_expected)))
            key.response_expected = expected;
        FIELD_DATA(t, TT_FIELD_KEY, &key, sizeof(key));
    } else {
        field_status(t, TT_FIELD_KEY, 0, TT_STATUS_FAULT);
    }
    put_cstring(t, TT_FIELD_OPERATION, 0, 0, handle.op);
    return 0;
}
