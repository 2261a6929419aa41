package gateway

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
)

// inClear is what a fault of ours could try to send.
const inClear = "From: <alice@relay.test>\r\nSubject: the mill\r\n\r\nMeet me at noon.\r\n"

// TestOutboxInClear: what stands in the outbox in clear is not sent, and the user is told
// at once.
func TestOutboxInClear(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := addr.MustParse("alice@relay.test"), addr.MustParse("bob@relay.test")
	write := func(w io.Writer) error {
		_, err := io.WriteString(w, inClear)
		return err
	}
	if _, err := b.box.add(alice, "the mill", []draft{{[]addr.Address{bob}, write}}, b.clock); err != nil {
		t.Fatal(err)
	}
	// The mail of newBench is beside it, and goes.
	if tried, _ := b.once(t); tried != "bob carol" || b.left(t) != 0 {
		t.Errorf("sent to %q, %d left, want to Bob and Carol, and none", tried, b.left(t))
	}
	if len(b.reported) != 1 || !strings.Contains(b.reported[0].Parts[0].Lost, "not encrypted") {
		t.Errorf("told %+v", b.reported)
	}
}

// TestSubmitInClear: it is refused before the provider is asked for anything.
func TestSubmitInClear(t *testing.T) {
	t.Parallel()
	nowhere := Upstream{} // dialing it is another error
	if err := nowhere.Submit(t.Context(), []addr.Address{addr.MustParse("bob@relay.test")}, []byte(inClear)); !errors.Is(err, errInClear) {
		t.Errorf("got %v, want %v", err, errInClear)
	}
}

// TestUploadInClear: a mailbox of the provider gets nothing in clear, neither from the
// synchronization, which goes on with the rest and says why, nor of what devices share.
func TestUploadInClear(t *testing.T) {
	t.Parallel()
	h := newHome(t, newRelay(t).account(t, "alice"))
	far := other(t, h.account)
	seal := h.watcher.sync.upload
	h.watcher.sync.upload = func(w io.Writer, header []byte, body io.Reader) error {
		if !strings.Contains(string(header), "mail-1") {
			return seal(w, header, body)
		}
		_, err := io.WriteString(w, inClear)
		return err
	}
	h.keepHere(t, "INBOX", 1, 0)
	h.keepHere(t, "INBOX", 2, 0)
	h.sync(t)
	if err := h.watcher.sync.refused; !errors.Is(err, errInClear) {
		t.Errorf("got fault %v, want %v", err, errInClear)
	}
	if got := h.there(t, far)["INBOX"]; len(got) != 1 || !strings.Contains(got[0], "mail-2") {
		t.Errorf("the server has %q, want the second mail only", got)
	}
	if err := far.putDeviceMail([]byte(inClear), time.Now()); !errors.Is(err, errInClear) {
		t.Errorf("shared by devices: got %v, want %v", err, errInClear)
	}
}
