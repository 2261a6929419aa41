//go:build e2e && linux

package e2e

import (
	"context"
	endian "encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespace is a network of its own: loopback, and one wire to the test, by which
// everything must leave. What leaves is counted.
type namespace struct {
	name     string
	far      netip.Addr // the test's end of the wire, and the way to everywhere
	near     netip.Addr // the namespace's end
	resolver netip.Addr // whom programs in it ask for names: nobody, beyond far

	mu      sync.Mutex
	changed *sync.Cond
	allowed netip.AddrPort // a TCP server on far
	frames  int            // to the allowed server
	others  []string       // anything else, in words
}

// newNamespace makes a network, on addresses for documentation (RFC 5737) of which n
// chooses some.
func newNamespace(t *testing.T, n int) *namespace {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("network namespaces are made by root: run this test as root")
	}
	need(t, "ip", "iproute2")
	base := byte(4 * n)
	s := &namespace{
		name: fmt.Sprintf("restante%d-%d", os.Getpid(), n),
		far:  netip.AddrFrom4([4]byte{198, 51, 100, base + 1}), near: netip.AddrFrom4([4]byte{198, 51, 100, base + 2}),
		resolver: netip.AddrFrom4([4]byte{192, 0, 2, 53}),
	}
	s.changed = sync.NewCond(&s.mu)
	s.nameserver(t)
	out, in := fmt.Sprintf("rt%do%d", os.Getpid(), n), fmt.Sprintf("rt%di%d", os.Getpid(), n)
	run(t, "", nil, "ip", "netns", "add", s.name)
	t.Cleanup(func() { run(t, "", nil, "ip", "netns", "del", s.name) }) // the wire goes with it
	run(t, "", nil, "ip", "link", "add", out, "type", "veth", "peer", "name", in)
	run(t, "", nil, "ip", "link", "set", in, "netns", s.name)
	const outMAC, inMAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
	for _, c := range [][]string{
		// The kernel itself is to say nothing on the wire: no IPv6, no ARP.
		{"link", "set", out, "address", outMAC, "addrgenmode", "none", "arp", "off"},
		{"-n", s.name, "link", "set", in, "address", inMAC, "addrgenmode", "none", "arp", "off"},
		{"addr", "add", s.far.String() + "/30", "dev", out},
		{"-n", s.name, "addr", "add", s.near.String() + "/30", "dev", in},
		{"link", "set", out, "up"},
		{"-n", s.name, "link", "set", "lo", "up"},
		{"-n", s.name, "link", "set", in, "up"},
		{"-n", s.name, "route", "add", "default", "via", s.far.String()},
		{"neigh", "replace", s.near.String(), "lladdr", inMAC, "dev", out, "nud", "permanent"},
		{"-n", s.name, "neigh", "replace", s.far.String(), "lladdr", outMAC, "dev", in, "nud", "permanent"},
	} {
		run(t, "", nil, "ip", c...)
	}
	s.watch(t, out)
	return s
}

// nameserver sets whom programs in the namespace ask, by the file that `ip netns exec`
// shows them.
func (s *namespace) nameserver(t *testing.T) {
	t.Helper()
	dir := filepath.Join("/etc/netns", s.name)
	must(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	must(t, os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("nameserver "+s.resolver.String()+"\n"), 0o644))
}

// watch counts what comes out of the wire until the test ends.
func (s *namespace) watch(t *testing.T, device string) {
	t.Helper()
	i, err := net.InterfaceByName(device)
	must(t, err)
	every := endian.NativeEndian.Uint16(endian.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(every))
	must(t, err)
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: every, Ifindex: i.Index}))
	wire := os.NewFile(uintptr(fd), "wire")
	var reading sync.WaitGroup
	reading.Go(func() {
		frame := make([]byte, 64<<10)
		for {
			n, err := wire.Read(frame)
			if err != nil {
				return // closed, or the device went with the namespace
			}
			s.count(i.HardwareAddr, frame[:n])
		}
	})
	t.Cleanup(func() { wire.Close(); reading.Wait() })
}

// count takes one frame. Those that the test's own end sends do not count.
func (s *namespace) count(far net.HardwareAddr, frame []byte) {
	if len(frame) < 14 || string(frame[6:12]) == string(far) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	protocol, to := target(frame[14:], endian.BigEndian.Uint16(frame[12:]))
	if protocol == unix.IPPROTO_TCP && to == s.allowed {
		s.frames++
	} else {
		s.others = append(s.others, fmt.Sprintf("type %#x, protocol %d, to %v", frame[12:14], protocol, to))
	}
	s.changed.Broadcast()
}

// target returns the protocol above IPv4, and where the packet goes; zero for others.
func target(packet []byte, kind uint16) (protocol byte, to netip.AddrPort) {
	if kind != unix.ETH_P_IP || len(packet) < 20 {
		return 0, to
	}
	header := int(packet[0]&15) * 4
	if len(packet) < header+4 {
		return packet[9], to
	}
	ip := netip.AddrFrom4([4]byte(packet[16:20]))
	return packet[9], netip.AddrPortFrom(ip, endian.BigEndian.Uint16(packet[header+2:]))
}

// allow says where packets may go.
func (s *namespace) allow(server netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = server
}

// awaitOther waits until something else than the allowed has left, and returns all of it.
func (s *namespace) awaitOther(t *testing.T) []string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		late = true
		s.changed.Broadcast()
	})
	defer timer.Stop()
	for len(s.others) == 0 {
		if late {
			t.Fatal("nothing left the namespace that was to be caught")
		}
		s.changed.Wait()
	}
	return s.others
}

// command prepares a program in the namespace.
func (s *namespace) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", s.name, program}, args...)...)
}

// dial connects from within the namespace.
func (s *namespace) dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	type result struct {
		net.Conn
		error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		conn, err := s.dialHere(network, address)
		done <- result{conn, err}
	}()
	r := <-done
	must(t, r.error)
	t.Cleanup(func() { r.Close() })
	return r.Conn
}

func (s *namespace) dialHere(network, address string) (net.Conn, error) {
	f, err := os.Open(filepath.Join("/run/netns", s.name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	return net.Dial(network, address)
}
