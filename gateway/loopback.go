package gateway

import (
	"errors"
	"net"
)

// ErrNotLoopback: a listener for the user's mail client can be reached from other
// machines, and what passes over it is not encrypted.
var ErrNotLoopback = errors.New("the listener can be reached from other machines: give it an address such as 127.0.0.1 or ::1")

// checkLoopback returns ErrNotLoopback if other machines can reach the listener.
func checkLoopback(ln net.Listener) error {
	switch a := ln.Addr().(type) {
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return nil
		}
	case *net.UnixAddr:
		return nil
	}
	return ErrNotLoopback
}
