/* SPDX-License-Identifier: GPL-2.0-only */
/* giop.bpf.h: the key of a request: from omniORB's objects to the request id and the kernel's socket. */
#pragma once

#include "capture.bpf.h"

#define AF_UNIX  1
#define AF_INET  2
#define AF_INET6 10
#define S_IFMT   0170000
#define S_IFSOCK 0140000

/*
 * Kernel memory by typed loads (8 times faster than by helper calls) where the kernel has bpf_rdonly_cast
 * (6.2, commit a35b9af4ec2c); user space says so before loading, and the other branch is dead code then.
 */
const volatile bool typed_loads = false;

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

#define CAST(type, object)                                                                                   \
    ((struct type *)bpf_rdonly_cast((void *)(object), bpf_core_type_id_kernel(struct type)))
#define LOAD(type, object, member)                                                                           \
    (typed_loads ? CAST(type, object)->member : BPF_CORE_READ((struct type *)(object), member))

/* ::ffff:a.b.c.d: a dual-stack server sees its IPv4 clients so; both ends must look the same. */
static __always_inline void unmap_ipv4(struct tt_connection *c)
{
    if (c->local[0] || c->remote[0] || (__u32)c->local[1] != 0xffff0000u ||
        (__u32)c->remote[1] != 0xffff0000u)
        return;
    c->family = AF_INET;
    c->local[0] = c->local[1] >> 32;
    c->remote[0] = c->remote[1] >> 32;
    c->local[1] = c->remote[1] = 0;
}

static __always_inline void inet_identity(struct sock *sk, struct tt_connection *c)
{
    c->local_port = LOAD(sock, sk, __sk_common.skc_num);
    c->remote_port = __builtin_bswap16(LOAD(sock, sk, __sk_common.skc_dport));
    if (c->family == AF_INET) {
        c->local[0] = LOAD(sock, sk, __sk_common.skc_rcv_saddr);
        c->remote[0] = LOAD(sock, sk, __sk_common.skc_daddr);
        return;
    }
    BPF_CORE_READ_INTO(&c->local, sk, __sk_common.skc_v6_rcv_saddr);
    BPF_CORE_READ_INTO(&c->remote, sk, __sk_common.skc_v6_daddr);
    unmap_ipv4(c);
}

static __always_inline void unix_identity(struct sock *sk, __u64 inode, struct tt_connection *c)
{
    struct sock *peer = LOAD(unix_sock, sk, peer);
    struct socket *socket = peer ? LOAD(sock, peer, sk_socket) : 0;

    c->local[0] = (__u64)sk;
    c->local[1] = inode;
    c->remote[0] = (__u64)peer;
    /* Zero until the peer has accepted, and again once it has closed. */
    if (socket)
        c->remote[1] = LOAD(socket_alloc, socket, vfs_inode.i_ino);
}

/* Identity of descriptor `fd` of the current process; leaves what is unknown zero. */
__attribute__((noinline)) int socket_identity(struct tt_key *key)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct tt_connection *c;
    struct fdtable *table;
    struct file *file = 0;
    struct inode *inode;
    struct socket *socket;
    struct sock *sk;
    struct net *net;

    if (!key)
        return 0;
    c = &key->connection;
    table = BPF_CORE_READ(task, files, fdt);
    if (!table || key->fd < 0 || (__u32)key->fd >= LOAD(fdtable, table, max_fds))
        return 0;
    if (bpf_probe_read_kernel(&file, sizeof(file), LOAD(fdtable, table, fd) + key->fd) || !file)
        return 0;
    inode = LOAD(file, file, f_inode);
    if ((LOAD(inode, inode, i_mode) & S_IFMT) != S_IFSOCK)
        return 0;
    socket = LOAD(file, file, private_data);
    sk = LOAD(socket, socket, sk);
    if (!sk)
        return 0;
    c->family = LOAD(sock, sk, __sk_common.skc_family);
    net = LOAD(sock, sk, __sk_common.skc_net.net);
    c->netns = LOAD(net, net, net_cookie);
    if (c->family == AF_UNIX)
        unix_identity(sk, LOAD(inode, inode, i_ino), c);
    else if (c->family == AF_INET || c->family == AF_INET6)
        inet_identity(sk, c);
    return 0;
}

/* What is needed of giopStream, giopStrand and giopConnection lies close together: one read for each (all
 * layouts in catalogue/). */
#define STREAM_SPAN     112
#define STRAND_SPAN     56
#define CONNECTION_SPAN 48

/*
 * The class of a connection over IP, by the name of its type (Itanium C++ ABI 2.9.5: the word before the
 * vtable's functions is the type_info*, the name lies at type_info + 8): "N4omni13tcpConnectionE" and
 * "N4omni13sslConnectionE" at the server's end, "N4omni19tcpActiveConnectionE" and so on at the client's
 * (seen live in 4.2.5 and 4.3.3). So libomnisslTP4, which has the class, need not be found, nor be there at
 * all.
 */
#define NAME_OMNI  0x31696e6d6f344eull /* "N4omni1" */
#define NAME_TCP   0x706374ull         /* "tcp", from byte 8 on */
#define NAME_SSL   0x6c7373ull         /* "ssl" */
#define LETTERS(n) ((1ull << 8 * (n)) - 1)

static __always_inline __u8 ip_carrier(__u64 vtable)
{
    __u64 name[2] = {};
    bool ok = true;
    __u64 type = user_u64(vtable - 8, &ok);

    if (ok)
        type = user_u64(type + 8, &ok);
    if (!ok || bpf_probe_read_user(name, sizeof(name), (const void *)type) ||
        (name[0] & LETTERS(7)) != NAME_OMNI)
        return TT_CARRIER_UNKNOWN;
    name[1] &= LETTERS(3);
    return name[1] == NAME_TCP ? TT_CARRIER_TCP : name[1] == NAME_SSL ? TT_CARRIER_SSL : TT_CARRIER_UNKNOWN;
}

/* What kernel and ORB know of the connection of which `key` has the descriptor. */
static __always_inline void connection_identity(struct tt_key *key, __u64 vtable)
{
    socket_identity(key);
    if (key->connection.family == AF_UNIX)
        key->carrier = TT_CARRIER_UNIX;
    else if (key->connection.family && vtable)
        key->carrier = ip_carrier(vtable);
}

/* Fills what the giopStream at `stream` tells; *vtable is that of its connection, or 0. */
static __always_inline bool stream_key(const struct tt_giop_layout *l, __u64 stream, struct tt_key *key,
                                       __u64 *vtable)
{
    __u64 block[STREAM_SPAN / 8] = {};
    __u32 id = l->stream_id - l->stream_strand, version = l->strand_version - l->strand_connection;
    __u32 fd = l->connection_fd / 4;

    if (id > STREAM_SPAN - 4 || version > STRAND_SPAN - 2)
        return false;
    if (bpf_probe_read_user(block, STREAM_SPAN, (const void *)(stream + l->stream_strand)))
        return false;
    key->request_id = ((__u32 *)block)[id / 4]; /* as a word index, so that the verifier sees it aligned */
    if (bpf_probe_read_user(block, STRAND_SPAN, (const void *)(block[0] + l->strand_connection)))
        return false;
    key->giop_major = ((__u8 *)block)[version];
    key->giop_minor = ((__u8 *)block)[version + 1];
    if (!block[0])
        return true;
    if (bpf_probe_read_user(block, CONNECTION_SPAN, (const void *)block[0]))
        return false;
    *vtable = block[0];
    /* Here, or the compiler puts the unchecked value aside and takes that (refused by 6.1). */
    barrier_var(fd);
    if (fd > CONNECTION_SPAN / 4 - 1)
        return false;
    key->fd = ((__s32 *)block)[fd];
    return true;
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
    } * call;
    struct tt_key key = {};
    __u64 self, vtable = 0;
    bool ok = true;

    if (!t || !p)
        return 0;
    call = (void *)t->window;
    self = t->regs[TT_REG_RDI];
    key.fd = -1;
    key.response_expected = 1;
    if (!stream_key(&p->giop, self + 8, &key, &vtable)) {
        field_status(t, TT_FIELD_KEY, 0, TT_STATUS_FAULT);
        return 0;
    }
    connection_identity(&key, vtable);
    key.descriptor = user_u64(self + p->giop.call_descriptor, &ok);
    if (!ok || !key.descriptor ||
        bpf_probe_read_user(call, sizeof(*call), (const void *)(key.descriptor + p->giop.descriptor_op)))
        call->op = 0;
    if (call->op)
        key.response_expected = !call->oneway;
    FIELD_DATA(t, TT_FIELD_KEY, &key, sizeof(key));
    if (call->op) {
        put_cstring(t, TT_FIELD_OPERATION, 0, 0, call->op);
        put_sent_context(t, key.descriptor + p->giop.descriptor_arguments, call->op);
    }
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
    __u64 vtable = 0;

    if (!t || !p)
        return 0;
    key.fd = -1;
    if (bpf_probe_read_user(&handle, sizeof(handle), (const void *)t->regs[TT_REG_RDI])) {
        field_status(t, TT_FIELD_KEY, 0, TT_STATUS_FAULT);
        return 0;
    }
    if (!handle.iop)
        return 0; /* no key: collocated */
    if (stream_key(&p->giop, handle.iop + 8, &key, &vtable)) {
        __u8 expected = 0;

        connection_identity(&key, vtable);
        if (!bpf_probe_read_user(&expected, 1, (const void *)(handle.iop + p->giop.response_expected)))
            key.response_expected = expected;
        FIELD_DATA(t, TT_FIELD_KEY, &key, sizeof(key));
    } else {
        field_status(t, TT_FIELD_KEY, 0, TT_STATUS_FAULT);
    }
    put_cstring(t, TT_FIELD_OPERATION, 0, 0, handle.op);
    return 0;
}
