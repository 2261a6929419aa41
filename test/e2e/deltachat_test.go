//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDeltaChat lets two people meet by an invitation, which is SecureJoin, talk
// both ways, and see what was read.
func TestDeltaChat(t *testing.T) {
	t.Parallel()
	alice, bob, chat := pair(t)

	sent := bob.write(chat, "Dear Alice")
	bob.awaitMsg("MsgDelivered", sent)
	got := alice.receiveText("Dear Alice")
	alice.write(got.ChatID, "Dear Bob")
	if m := bob.receiveText("Dear Bob"); m.ChatID != chat {
		t.Errorf("the answer is in chat %d, want %d", m.ChatID, chat)
	}

	alice.call(nil, "markseen_msgs", alice.id, []int{got.ID})
	bob.awaitMsg("MsgRead", sent)
}

// pair returns the devices of two users of a relay that have met, and the chat
// of the second with the first.
func pair(t *testing.T) (alice, bob *device, chat int) {
	t.Helper()
	r := start(t)
	d := newCore(t).devices(r)
	return d[0], d[1], d[1].join(d[0])
}

// TestDeltaChatGroup lets three people talk in a group of which two have never
// met: they write to each other with the keys that the group gave them.
func TestDeltaChatGroup(t *testing.T) {
	t.Parallel()
	r := start(t, "--accounts", "3")
	d := newCore(t).devices(r)
	alice, bob, carol := d[0], d[1], d[2]
	bob.join(alice)
	carol.join(alice)

	var group int
	alice.call(&group, "create_group_chat", alice.id, "friends", false)
	for _, friend := range []*device{bob, carol} {
		alice.call(nil, "add_contact_to_chat", alice.id, group, alice.contact(friend))
	}
	alice.write(group, "Dear all")
	atBob := bob.receiveText("Dear all").ChatID
	atCarol := carol.receiveText("Dear all").ChatID

	bob.write(atBob, "said Bob")
	alice.receiveText("said Bob")
	if m := carol.receiveText("said Bob"); m.ChatID != atCarol {
		t.Errorf("Bob's answer is in chat %d of Carol, want %d", m.ChatID, atCarol)
	}
	carol.call(nil, "accept_chat", carol.id, atCarol)
	carol.write(atCarol, "said Carol")
	alice.receiveText("said Carol")
	bob.receiveText("said Carol")
}

// TestDeltaChatFile sends a file of 5 MiB, which Delta Chat splits into an
// announcement and the file, and compares what arrives.
func TestDeltaChatFile(t *testing.T) {
	t.Parallel()
	alice, bob, chat := pair(t)
	file := make([]byte, 5<<20)
	rand.Read(file)
	began := time.Now()
	var sent int
	bob.call(&sent, "send_msg", bob.id, chat, map[string]any{"file": write(t, t.TempDir(), "film.bin", string(file)), "viewtype": "File"})
	got := alice.receive()
	for got.DownloadState != "Done" || got.File == "" {
		alice.awaitMsg("MsgsChanged", got.ID)
		got = alice.message(got.ID)
	}
	t.Logf("5 MiB arrived after %v", time.Since(began).Round(time.Millisecond))
	arrived, err := os.ReadFile(got.File)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(arrived, file) {
		t.Errorf("the file arrived as %d other bytes, want the %d sent", len(arrived), len(file))
	}
}

// TestDeltaChatOffline writes to a device that is off, which on its return shows
// every message once and in order.
func TestDeltaChatOffline(t *testing.T) {
	t.Parallel()
	alice, bob, chat := pair(t)
	alice.goOffline()
	want := numbered("while you were away", 20)
	for _, text := range want {
		bob.awaitMsg("MsgDelivered", bob.write(chat, text))
	}
	alice.goOnline()
	expectInOrder(t, want, bob, chat, alice)
}

// TestDeltaChatBurst sends 200 messages as fast as Delta Chat can to a device
// that is online.
func TestDeltaChatBurst(t *testing.T) {
	t.Parallel()
	alice, bob, chat := pair(t)
	bob.goOffline()
	want := numbered("burst", 200)
	for _, text := range want {
		bob.write(chat, text)
	}
	began := time.Now()
	bob.goOnline()
	expectInOrder(t, want, bob, chat, alice)
	t.Logf("%d messages arrived within %v", len(want), time.Since(began).Round(time.Millisecond))
}

func numbered(text string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s %d", text, i+1)
	}
	return all
}

// expectInOrder holds a device to show texts that a chat of another device sent,
// each once and in this order. One more message shows that nothing is left.
func expectInOrder(t *testing.T, want []string, from *device, chat int, to *device) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, to.receive().Text)
	}
	from.write(chat, "that was all")
	last := to.receive()
	want, got = append(want, "that was all"), append(got, last.Text)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, to.texts(last.ChatID)); diff != "" {
		t.Errorf("the chat shows (-want +got):\n%s", diff)
	}
}

// TestDeltaChatSecondDevice moves an account to a second device by a backup.
// Both then show what others write, and what the other of the two sent.
func TestDeltaChatSecondDevice(t *testing.T) {
	t.Parallel()
	alice, bob, chat := pair(t)
	alice.call(nil, "set_config", alice.id, "bcc_self", "1")
	second := alice.secondDevice()

	bob.write(chat, "to both of you")
	got := alice.receiveText("to both of you")
	second.receiveText("to both of you")
	alice.write(got.ChatID, "from the first")
	bob.receiveText("from the first")
	second.awaitText("from the first")
	second.write(second.chatWith(bob), "from the second")
	bob.receiveText("from the second")
	alice.awaitText("from the second")
}

// TestDeltaChatLatency measures the way of a message from one user's tap on the
// button to the other's screen. It runs alone, and asserts no time.
func TestDeltaChatLatency(t *testing.T) {
	alice, bob, chat := pair(t)
	bob.write(chat, "hello")
	ends := []struct {
		*device
		chat int
	}{{bob, chat}, {alice, alice.receive().ChatID}}

	var took []time.Duration
	pace := time.NewTicker(1100 * time.Millisecond) // the core delays what is faster
	defer pace.Stop()
	for i := range 20 {
		<-pace.C
		from, to := ends[i%2], ends[(i+1)%2]
		began := time.Now()
		from.write(from.chat, fmt.Sprint("ping ", i))
		to.awaitKind("IncomingMsg")
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("one way: median %v, fastest %v, slowest %v", took[len(took)/2], took[0], took[len(took)-1])
}
