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
	"github.com/restante/restante/mailbox/seal"
)

// hinter tells the other nodes which accounts a commit touched, and this one what
// the others tell.
type hinter interface {
	// withCommit is called in the transaction.
	withCommit(t *tx, ids []mailbox.AccountID) error

	// afterCommit is called when it is durable, and must not wait.
	afterCommit(ids []mailbox.AccountID)

	// stop ends the listening.
	stop()
}

// hints tells the other nodes which accounts a commit touched, and this one what
// the others tell. They are only hints: what is lost is found by reading again.
type hints struct {
	e       *postgres
	node    string // by which a node knows what it said itself
	channel string
	end     func()
}

var _ hinter = (*hints)(nil)

// listen follows the other nodes until stop.
func listen(e *postgres) *hints {
	h := &hints{e: e, node: newNode(), channel: channelOf(e.s.id)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	h.end = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		h.run(ctx)
	}()
	return h
}

func (h *hints) stop() { h.end() }

// newNode returns a name by which a node knows what it said itself.
func newNode() string {
	var node [8]byte
	rand.Read(node[:]) // never fails (crypto/rand)
	return hex.EncodeToString(node[:])
}

// channelOf is where the nodes of a store speak with each other.
func channelOf(id seal.StoreID) string { return "restante_" + hex.EncodeToString(id[:8]) }

const postgresNotify = `SELECT pg_notify($1, $2)`

// idsPerHint keeps a hint below the 8000 bytes that one can have.
const idsPerHint = 500

// withCommit sends the hint of a batch with its commit. A large batch has several.
func (h *hints) withCommit(t *tx, ids []mailbox.AccountID) error {
	var nothing any
	for some := range slices.Chunk(ids, idsPerHint) {
		if _, err := t.one(postgresNotify, []any{&nothing}, h.channel, hintOf(h.node, some)); err != nil {
			return err
		}
	}
	return nil
}

// afterCommit has nothing to do: the server sends the hint with the commit.
func (*hints) afterCommit([]mailbox.AccountID) {}

// hintOf is what a node says about accounts.
func hintOf(node string, ids []mailbox.AccountID) string {
	words := make([]string, 0, len(ids)+1)
	words = append(words, node)
	for _, id := range ids {
		words = append(words, id.String())
	}
	return strings.Join(words, " ")
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
		h.e.s.watch.tellOthers(h.node, n.Payload)
		return nil
	}
	if quiet.Err() == nil || ctx.Err() != nil || c.IsClosed() {
		return err
	}
	ping, cancel := context.WithTimeout(ctx, stillThere)
	defer cancel()
	return c.Ping(ping)
}

// tellOthers hands on a hint of another node than ours.
func (w *watchers) tellOthers(ours, payload string) {
	node, rest, _ := strings.Cut(payload, " ")
	if node == ours {
		return
	}
	var ids []mailbox.AccountID
	for word := range strings.FieldsSeq(rest) {
		if id, err := mailbox.ParseAccountID(word); err == nil {
			ids = append(ids, id)
		}
	}
	w.tell(ids)
}
