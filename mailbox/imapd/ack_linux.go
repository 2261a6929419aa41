package imapd

import (
	"crypto/tls"
	"net"
	"syscall"
)

// hurryAck has the kernel acknowledge what has arrived without waiting for an
// answer to send along. Clients that write a literal and the CRLF behind it one by
// one, as Python's imaplib does, would otherwise hold the CRLF back for the 40 ms
// by which the acknowledgement is delayed (RFC 1122, 4.2.3.2 and 4.2.3.4).
func hurryAck(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	// It only costs time if this fails.
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
