// Package scramclient is another implementation's half of SCRAM-SHA-256 and -PLUS, in the
// form that mail clients take their mechanisms in, for tests of the server's half.
package scramclient

import (
	"crypto/tls"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// Client is one conversation.
type Client struct {
	mechanism string
	talk      *scram.ClientConversation
}

var _ sasl.Client = (*Client)(nil)

// New begins a conversation. With a connection it is bound to that (RFC 9266), and the
// mechanism is SCRAM-SHA-256-PLUS.
func New(tb testing.TB, user, secret string, bound *tls.Conn) *Client {
	tb.Helper()
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil {
		tb.Fatal(err)
	}
	if bound == nil {
		return &Client{"SCRAM-SHA-256", client.NewConversation()}
	}
	state := bound.ConnectionState()
	binding, err := scram.NewTLSExporterBinding(&state)
	if err != nil {
		tb.Fatal(err)
	}
	return &Client{"SCRAM-SHA-256-PLUS", client.NewConversationWithChannelBinding(binding)}
}

// Start implements sasl.Client.
func (c *Client) Start() (mechanism string, initial []byte, err error) {
	first, err := c.talk.Step("")
	return c.mechanism, []byte(first), err
}

// Next implements sasl.Client.
func (c *Client) Next(challenge []byte) ([]byte, error) {
	answer, err := c.talk.Step(string(challenge))
	return []byte(answer), err
}

// Valid reports whether the server has proved that it knows the secret too.
func (c *Client) Valid() bool { return c.talk.Valid() }
