package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/restante/restante/mailbox"
)

// hints tells the other nodes which accounts a commit touched, and this one what
// the others tell. They are only hints: what is lost is found by reading again.
type hints struct {
	e       *postgres
	node    string // by which a node knows what it said itself
	channel string
	stop    func()
}

// listen follows the other nodes until stop.
func listen(e *postgres) *hints {
	var node [8]byte
	rand.Read(node[:]) // never fails (crypto/rand)
	id := e.s.id
	h := &hints{e: e, node: hex.EncodeToString(node[:]), channel: "restante_" + hex.EncodeToString(id[:8])}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	h.stop = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		h.run(ctx)
	}()
	return h
}

const postgresNotify = `SELECT pg_notify($1, $2)`

// idsPerHint keeps a hint below the 8000 bytes that one can have.
const idsPerHint = 500

// tell sends the hint of a batch with its commit. A large batch has several.
func (h *hints) tell(t *tx, ids []mailbox.AccountID) error {
	var nothing any
	for some := range slices.Chunk(ids, idsPerHint) {
		words := make([]string, 0, len(some)+1)
		words = append(words, h.node)
		for _, id := range some {
			words = append(words, id.String())
		}
		if _, err := t.one(postgresNotify, []any{&nothing}, h.channel, strings.Join(words, " ")); err != nil {
			return err
		}
	}
	return nil
}

const (
	// listenAgain is how long to wait before listening again after the connection
	// was lost.
	listenAgain = 200 * time.Millisecond

	// stillThere is after which silence the server is asked for a sign of life.
	stillThere = 10 * time.Second
)

func (h *hints) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		h.e.s.opts.Log.Warn("listening to the other nodes was interrupted", "error", err)
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
		}
	}
}

// follow listens on one connection until it is lost. What was said before it
// listened, nobody knows.
func (h *hints) follow(ctx context.Context) error {
	config := h.e.config.Copy()
	if err := h.e.readPassword(ctx, config); err != nil {
		return err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "LISTEN "+h.channel); err != nil {
		return err
	}
	h.e.s.watch.tellAll()
	for {
		if err := h.wait(ctx, c); err != nil {
			return err
		}
	}
}

// wait waits for a hint and hands it on, or sees that the connection is still
// there.
func (h *hints) wait(ctx context.Context, c *pgx.Conn) error {
	quiet, cancel := context.WithTimeout(ctx, stillThere)
	defer cancel()
	n, err := c.WaitForNotification(quiet)
	if err == nil {
		h.heard(n.Payload)
		return nil
	}
	if quiet.Err() == nil || ctx.Err() != nil || c.IsClosed() {
		return err
	}
	ping, cancel := context.WithTimeout(ctx, stillThere)
	defer cancel()
	return c.Ping(ping)
}

// heard hands on a hint of another node.
func (h *hints) heard(payload string) {
	node, rest, _ := strings.Cut(payload, " ")
	if node == h.node {
		return
	}
	var ids []mailbox.AccountID
	for word := range strings.FieldsSeq(rest) {
		if id, err := mailbox.ParseAccountID(word); err == nil {
			ids = append(ids, id)
		}
	}
	h.e.s.watch.tell(ids)
}
