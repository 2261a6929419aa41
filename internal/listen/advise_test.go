package listen

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestTakenPort: who can't have a port is told what to do.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Listen(t.Context(), taken.Addr().String(), Options{Name: "imaps", Network: Shared})
	if err == nil || !strings.Contains(err.Error(), "listen for imaps") || !strings.Contains(err.Error(), "ss -tlnp") {
		t.Errorf("got %v", err)
	}
	if got := advise(os.NewSyscallError("bind", syscall.EACCES)).Error(); !strings.Contains(got, "CAP_NET_BIND_SERVICE") {
		t.Errorf("a port that is not allowed: got %q", got)
	}
}
