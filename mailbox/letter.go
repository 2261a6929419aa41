package mailbox

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// Letter is one message on its way to the recipients at one domain.
type Letter struct {
	ID       JobID
	From     addr.Address // zero: the null sender
	Domain   string       // of all recipients
	To       []Addressee  // those that are still to be reached
	Created  time.Time
	Due      time.Time // of the next attempt
	Attempts int
	Delays   int // notices of delay that the sender has got

	Size       int64
	EightBit   bool   // the message has bytes above 127
	UTF8       bool   // and in its header
	RequireTLS bool   // RFC 8689
	EnvelopeID string // xtext (RFC 3461, 4.4)

	destination DestinationID
	sealed      seal.Message
}

// LogValue hides from logs who writes to whom.
func (l *Letter) LogValue() slog.Value { return l.ID.LogValue() }

// Addressee is a recipient at another domain.
type Addressee struct {
	Address  addr.Address
	Notify   string // "NEVER", or words of RFC 3461, 4.1 with commas; "" is the default
	Original string // ORCPT as the sender gave it, "" if it did not

	// What the last attempt came to: an enhanced status code, and the words for
	// it. Both are "" before the first.
	Status, Reason string
}

// letterContent is a Letter inside its seal. Its names are part of the format.
type letterContent struct {
	Version    int          `json:"v"`
	From       string       `json:"from,omitempty"`
	Domain     string       `json:"domain"`
	To         []sealedGoal `json:"to"`
	Created    int64        `json:"created"`
	Delays     int          `json:"delays,omitempty"`
	Size       int64        `json:"size"`
	EightBit   bool         `json:"8bit,omitempty"`
	UTF8       bool         `json:"utf8,omitempty"`
	RequireTLS bool         `json:"requiretls,omitempty"`
	EnvelopeID string       `json:"envid,omitempty"`
	Key        []byte       `json:"key"`
}

type sealedGoal struct {
	Address  string `json:"a"`
	Notify   string `json:"n,omitempty"`
	Original string `json:"o,omitempty"`
	Status   string `json:"s,omitempty"`
	Reason   string `json:"r,omitempty"`
}

// letterVersion is that of letterContent.
const letterVersion = 1

// jobName is what a job's sealed content is bound to.
func jobName(id JobID) []byte { return []byte("job " + id.String()) }

// sealLetter returns what the store keeps of a letter beside its body.
func (s *Service) sealLetter(l *Letter) []byte {
	c := letterContent{
		Version: letterVersion, From: l.From.String(), Domain: l.Domain, Created: l.Created.Unix(), Delays: l.Delays,
		Size: l.Size, EightBit: l.EightBit, UTF8: l.UTF8, RequireTLS: l.RequireTLS, EnvelopeID: l.EnvelopeID,
		Key: l.sealed.DEK[:],
	}
	for _, a := range l.To {
		c.To = append(c.To, sealedGoal{a.Address.String(), a.Notify, a.Original, a.Status, a.Reason})
	}
	content, err := json.Marshal(c)
	if err != nil {
		panic("restante: internal error: a letter has no JSON: " + err.Error())
	}
	defer clear(content)
	return s.key.Seal(seal.Queue, jobName(l.ID), content)
}

// openLetter reads a job. The error is an ErrCorrupt.
func (s *Service) openLetter(j *Job) (*Letter, error) {
	content, err := s.key.Open(seal.Queue, jobName(j.ID), j.Envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: job %s: %w", ErrCorrupt, j.ID, err)
	}
	defer clear(content)
	var c letterContent
	if err := json.Unmarshal(content, &c); err != nil {
		return nil, fmt.Errorf("%w: job %s: its content can't be read", ErrCorrupt, j.ID)
	}
	l, err := c.letter()
	if err != nil {
		return nil, fmt.Errorf("%w: job %s: %w", ErrCorrupt, j.ID, err)
	}
	l.ID, l.Due, l.Attempts, l.destination = j.ID, j.Due, j.Attempts, j.Destination
	l.sealed.Owner, l.sealed.Blob = s.queueOwner(), j.Blob
	return l, nil
}

func (c *letterContent) letter() (*Letter, error) {
	if c.Version != letterVersion || len(c.Key) != len(seal.DEK{}) {
		return nil, fmt.Errorf("content of version %d with a key of %d bytes", c.Version, len(c.Key))
	}
	l := &Letter{
		Domain: c.Domain, Created: time.Unix(c.Created, 0).UTC(), Delays: c.Delays, Size: c.Size,
		EightBit: c.EightBit, UTF8: c.UTF8, RequireTLS: c.RequireTLS, EnvelopeID: c.EnvelopeID,
	}
	l.sealed.DEK = seal.DEK(c.Key)
	var err error
	if c.From != "" {
		if l.From, err = addr.Parse(c.From); err != nil {
			return nil, err
		}
	}
	for _, g := range c.To {
		a, err := addr.Parse(g.Address)
		if err != nil {
			return nil, err
		}
		l.To = append(l.To, Addressee{a, g.Notify, g.Original, g.Status, g.Reason})
	}
	return l, nil
}

// queueOwner is whose the bodies in the queue are: the relay's own.
func (s *Service) queueOwner() seal.Owner {
	return seal.Owner{Store: s.store.ID(), Account: int64(QueueAccount)}
}
