package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// A port that has to be known before it is listened on is one that the kernel gives
// nobody of itself, and that no other test here is given.
const (
	firstPort = 20_000
	somePorts = 12_000
)

var givenPorts atomic.Uint32

func init() { givenPorts.Store(rand.Uint32N(somePorts)) } // other processes count too

// freePort returns a port that is free at an IP address.
func freePort(t *testing.T, ip string) int {
	t.Helper()
	for range somePorts {
		port := firstPort + int(givenPorts.Add(1)%somePorts)
		if ln, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port))); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePort(t, "127.0.0.1"))
}
