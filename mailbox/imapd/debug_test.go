package imapd_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestDebugTellsNames: of an account that is debugged, the log has the commands and
// what came of them, and not what they are about.
func TestDebugTellsNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.account(t, "b@example.org")
	if err := w.Debug(t.Context(), c.Account, time.Hour); err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(nc)
	for i, command := range []string{"LOGIN b@example.org " + c.Secret, "SELECT marked-name", "SELECT INBOX", "SEARCH SUBJECT marked-subject", "MARKED x", "LOGOUT"} {
		if _, err := fmt.Fprintf(nc, "t%d %s\r\n", i, command); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() && !strings.HasPrefix(lines.Text(), fmt.Sprintf("t%d ", i)) {
		}
	}
	text := w.log.String()
	for _, want := range []string{"name=SELECT done=false", "name=SELECT done=true", "name=SEARCH done=true"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log has no %q", want)
		}
	}
	for _, secret := range []string{"marked", "MARKED", "b@example.org", c.Secret, "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
