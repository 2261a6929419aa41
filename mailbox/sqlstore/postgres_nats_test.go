//go:build unix

package sqlstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/restante/restante/mailbox"
)

// startNATS starts a NATS server, on a free port if port is -1.
func startNATS(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(2 * time.Minute) {
		t.Fatal("the NATS server did not get ready")
	}
	return s
}

func port(t *testing.T, s *server.Server) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(s.ClientURL(), "nats://127.0.0.1:%d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNATS: two nodes tell each other by a NATS server, and a node hears nothing of
// what it said itself.
func TestNATS(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	o.HintBus = startNATS(t, -1).ClientURL()
	all := nodes(t, o, 2)
	ha, hb := listening(t, all[0], all[1])
	deliver(t, all[0], 300)
	await(t, ha, alice) // its own writer's
	await(t, hb, alice)
	if count(t, all[1]) != 1 {
		t.Error("the other node doesn't see the message")
	}
	// What comes from the server comes in order: an echo of alice's would be before
	// bob's.
	if err := all[1].SetState(t.Context(), bob, mailbox.Active); err != nil {
		t.Fatal(err)
	}
	for ids := range ha {
		if len(ids) > 0 && ids[0] == bob {
			break
		}
		t.Errorf("the first node heard of %v besides its own commit", ids)
	}
}

// TestNATSLost: without the NATS server, nodes start and write, and what was missed is
// found by reading; when it is there again they are told to look, and hear again.
func TestNATSLost(t *testing.T) {
	t.Parallel()
	bus := startNATS(t, -1)
	o := postgresOptions(t)
	o.HintBus = bus.ClientURL()
	n := port(t, bus)
	all := nodes(t, o, 2)
	_, hb := listening(t, all[0], all[1])
	before, err := all[1].Account(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	bus.Shutdown()
	bus.WaitForShutdown()
	deliver(t, all[0], 300)
	late := nodesMore(t, o)
	for _, s := range []*Store{all[1], late} {
		if now, err := s.Account(t.Context(), alice); err != nil || now.Change == before.Change {
			t.Errorf("the change is not to be found by reading: %v, error %v", now.Change, err)
		}
	}
	startNATS(t, n)
	await(t, hb, 0)
	listening(t, all[0], late)
}

// nodesMore opens one more node.
func nodesMore(t *testing.T, o Options) *Store {
	t.Helper()
	o.CheckOnClose = false
	return open(t, o)
}
