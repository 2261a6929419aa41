//go:build !linux

package imapd

import "net"

// hurryAck does nothing where the system has no such option.
func hurryAck(net.Conn) {}
