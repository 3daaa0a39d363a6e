"""Says "heartbeat CHANNEL" for each heartbeat that comes from a publisher of cppTango: heartbeats.py ENDPOINT. By libzmq alone,
so no Tango program."""
import ctypes
import sys

SUB, SUBSCRIBE, RCVMORE = 2, 6, 13

zmq = ctypes.CDLL("libzmq.so.5", use_errno=True)
for name in ("zmq_ctx_new", "zmq_socket"):
    getattr(zmq, name).restype = ctypes.c_void_p
socket = ctypes.c_void_p(zmq.zmq_socket(ctypes.c_void_p(zmq.zmq_ctx_new()), SUB))
assert zmq.zmq_setsockopt(socket, SUBSCRIBE, b"", ctypes.c_size_t(0)) == 0
assert zmq.zmq_connect(socket, sys.argv[1].encode()) == 0, ctypes.get_errno()
print("up", flush=True)
buffer, more, size = ctypes.create_string_buffer(4096), ctypes.c_int(), ctypes.c_size_t(4)
while True:
    count = zmq.zmq_recv(socket, buffer, ctypes.c_size_t(4096), 0)
    assert count >= 0, ctypes.get_errno()
    channel = buffer.raw[:count].decode()
    while zmq.zmq_getsockopt(socket, RCVMORE, ctypes.byref(more), ctypes.byref(size)) == 0 and more.value:
        assert zmq.zmq_recv(socket, buffer, ctypes.c_size_t(4096), 0) >= 0
    print("heartbeat", channel, flush=True)
