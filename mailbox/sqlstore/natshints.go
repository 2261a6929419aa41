package sqlstore

import (
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/mailbox"
)

// natsHints tells the other nodes by a NATS server instead of the database's own
// NOTIFY, which takes a lock that all commits share. Nothing is kept there: a hint
// that nobody hears is lost, and what it was about is found by reading again.
type natsHints struct {
	s       *Store
	node    string
	subject string
	conn    *nats.Conn
}

var _ hinter = (*natsHints)(nil)

// listenNATS follows the other nodes. A server that can't be reached now is tried
// again until stop; the store works meanwhile, with later hints.
func listenNATS(s *Store) (*natsHints, error) {
	h := &natsHints{s: s, node: newNode(), subject: channelOf(s.id)}
	options := []nats.Option{
		nats.Name("restante"), nats.MaxReconnects(-1), nats.ReconnectWait(listenAgain), nats.RetryOnFailedConnect(true),
		nats.NoEcho(), nats.PingInterval(stillThere),
		nats.ConnectHandler(func(*nats.Conn) { s.watch.tellAll() }),
		nats.ReconnectHandler(func(*nats.Conn) { s.watch.tellAll() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // not by stop
				s.opts.Log.Warn("listening to the other nodes was interrupted", "error", err)
			}
		}),
	}
	if s.opts.HintBusCredentials != "" {
		options = append(options, nats.UserCredentials(s.opts.HintBusCredentials))
	}
	var err error
	if h.conn, err = nats.Connect(s.opts.HintBus, options...); err != nil {
		return nil, fmt.Errorf("hint bus: %w", err)
	}
	if _, err := h.conn.Subscribe(h.subject, func(m *nats.Msg) { s.watch.tellOthers(h.node, string(m.Data)) }); err != nil {
		h.conn.Close()
		return nil, fmt.Errorf("hint bus: %w", err)
	}
	return h, nil
}

// withCommit has nothing to do: a hint before the commit would come too soon.
func (*natsHints) withCommit(*tx, []mailbox.AccountID) error { return nil }

// afterCommit sends the hints. They are on their way when it returns, if the server
// is there; else they wait for it, up to the client's limit, and are lost.
func (h *natsHints) afterCommit(ids []mailbox.AccountID) {
	for some := range slices.Chunk(ids, idsPerHint) {
		if err := h.conn.Publish(h.subject, []byte(hintOf(h.node, some))); err != nil {
			h.s.opts.Log.Warn("a hint to the other nodes was lost", "error", err)
		}
	}
}

func (h *natsHints) stop() { h.conn.Close() }
