/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_orb.h: omniORB, the C++ runtime, and what else tells how to read the others. Part of the array in
 * rows.c.
 *
 * _is_a and _non_existent are sent by omniORB itself while a proxy connects. On the server no servant
 * method stands for them that could be probed (omniServant::_is_a has no instruction that is emulated): the
 * local call functions of their call descriptors do, at a single-stepped ret, once per connection.
 */
#define ORB(kind) .library = TT_LIBRARY_OMNIORB, .role = TT_ROLE_##kind

{
    ORB(REQUEST),
    .name = "omni::GIOP_C::ReceiveReply",
    .usual = {[TT_USUAL_READ] = 1, [TT_USUAL_COMMAND] = 1},
    .signature = {"omni::GIOP_C::ReceiveReply()"},
},
    {
        ORB(UPCALL),
        .name = "omniCallHandle::upcall",
        .usual = {[TT_USUAL_READ] = 1, [TT_USUAL_COMMAND] = 1},
        .signature = {"omniCallHandle::upcall(omniServant*, omniCallDescriptor&)"},
    },
    {
        ORB(CLIENT),
        .name = "CORBA::Object::_is_a",
        .verb = "_is_a",
        .seldom = true,
        .signature = {"omniObjRef::_remote_is_a(char const*)"},
    },
    {
        ORB(CLIENT),
        .name = "CORBA::Object::_non_existent",
        .verb = "_non_existent",
        .seldom = true,
        .signature = {"omniObjRef::_remote_non_existent()"},
    },
    {
        ORB(SERVER),
        .name = "omniServant::_is_a",
        .verb = "_is_a",
        .seldom = true,
        .signature = {"omni::omni_is_a_CallDesc::lcfn(omniCallDescriptor*, omniServant*)"},
    },
    {
        ORB(SERVER),
        .name = "omniServant::_non_existent",
        .verb = "_non_existent",
        .seldom = true,
        .signature = {"omni::omni_non_existent_CallDesc::lcfn(omniCallDescriptor*, omniServant*)"},
    },
    /* Asynchronous calls (DII, deferred): the caller's thread hands the call descriptor over, a thread of
     * omniORB's pool sends the request and gets the reply. Synchronous calls pass neither. execute() has one
     * exit that is single-stepped, an indirect jump for classes derived from AsyncRequest: there are none. */
    {
        ORB(SUBMIT),
        .name = "omniObjRef::_invoke_async",
        .signature = {"omniObjRef::_invoke_async(omniAsyncCallDescriptor*)"},
        .argument = {{TT_FIELD_DESCRIPTOR, TT_VALUE_U64, 1}},
    },
    {
        ORB(WORKER),
        .name = "omni::AsyncRequest::execute",
        .seldom = true,
        .foreign = true, /* a device of the same process answers inside */
        .signature = {"omni::AsyncRequest::execute()"},
        .argument = {{TT_FIELD_DESCRIPTOR, TT_VALUE_TASK, 0}},
    },
    {
        .library = TT_LIBRARY_DYNAMIC,
        .role = TT_ROLE_REFUSED, /* keeps the exception, throws none */
        .name = "omni::DIICallDescriptor::userException",
        .signature = {"omni::DIICallDescriptor::userException(cdrStream&, omni::IOP_C*, char const*)"},
        .argument = {{TT_FIELD_DESCRIPTOR, TT_VALUE_U64, 0}, {TT_FIELD_TYPE, TT_VALUE_CSTRING, 3}},
    },
    {
        .library = TT_LIBRARY_CXXABI,
        .role = TT_ROLE_CATCH,
        .name = "__cxa_begin_catch",
        .signature = {"__cxa_begin_catch"},
    },
    /* PyTango 10 maps greenlet wherever gevent is installed, and hardly ever uses it: only a thread that was
     * seen to switch is treated as one with many stacks. Runs before the stack is left, and for a new
     * greenlet's first start, too (greenlet 2 and 3). */
    {
        .library = TT_LIBRARY_GREENLET,
        .role = TT_ROLE_SWITCH,
        .name = "greenlet::Greenlet::g_switchstack",
        .signature = {"greenlet::Greenlet::g_switchstack()"},
    },

#undef ORB
