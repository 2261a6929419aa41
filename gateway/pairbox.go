package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/internal/pause"
)

// The two devices of a pairing talk through the devices' mailbox: an offer with the first
// share, a join with the second and the proof that the code is known, then the bundle or
// a refusal. All but the bundle are under the secret of nobody: what they say is public,
// and a relay's gate wants the form of encrypted mail.
const (
	pairOffer  = "pair-offer"
	pairJoin   = "pair-join"
	pairKeys   = "pair-keys"
	pairRefuse = "pair-refuse"
	pairDone   = "pair-done"

	nobodysSecret = "restante pairing 1"

	pairLook = 30 * time.Second // the server's IDLE may be deaf
)

// pairMail is what a mail of a pairing says.
type pairMail struct {
	Session []byte `json:"session"`
	Share   []byte `json:"share,omitempty"`
	Proof   []byte `json:"proof,omitempty"`
}

// pairing is one side's view of the devices' mailbox.
type pairing struct {
	r   *remote
	u   Upstream
	now func() time.Time
}

// say puts a public mail of the pairing there.
func (p *pairing) say(purpose string, m pairMail) error {
	content, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return p.put(purpose, content, nobodysSecret)
}

func (p *pairing) put(purpose string, content []byte, secret string) error {
	now := p.now()
	mail, err := sealDeviceMail(p.u.Address, newDeviceID(purpose, p.u.Address), content, secret, now)
	if err != nil {
		return err
	}
	return p.r.putDeviceMail(mail, now)
}

// sweep removes what is left of pairings.
func (p *pairing) sweep() error {
	list, err := p.r.deviceMails()
	if err != nil {
		return err
	}
	var old []deviceMail
	for _, m := range list {
		switch m.purpose {
		case pairOffer, pairJoin, pairKeys, pairRefuse, pairDone:
			old = append(old, m)
		}
	}
	return p.r.removeDeviceMails(old)
}

// await waits for a mail of one of the purposes, the newest.
func (p *pairing) await(ctx context.Context, purposes ...string) (deviceMail, []byte, error) {
	for {
		list, err := p.r.deviceMails()
		if err != nil {
			return deviceMail{}, nil, err
		}
		for i := len(list) - 1; i >= 0; i-- {
			for _, purpose := range purposes {
				if list[i].purpose != purpose {
					continue
				}
				mail, ok, err := p.r.readDeviceMail(list[i])
				if ok || err != nil {
					return list[i], mail, err
				}
			}
		}
		if err := p.r.idleHere(ctx, pairLook); err != nil {
			return deviceMail{}, nil, err
		}
	}
}

// hear waits for a public mail of the session, or of any if that is nil.
func (p *pairing) hear(ctx context.Context, session []byte, purposes ...string) (string, pairMail, error) {
	which, mail, err := p.await(ctx, purposes...)
	if err != nil {
		return "", pairMail{}, err
	}
	content, err := openDeviceMail(mail, nobodysSecret)
	var m pairMail
	if err == nil {
		err = json.Unmarshal(content, &m)
	}
	if err != nil || session != nil && string(m.Session) != string(session) {
		return "", m, fmt.Errorf("%w: something else lies in the devices' mailbox", ErrPairing)
	}
	return which.purpose, m, nil
}

// idleHere waits until the server speaks of a change in the selected mailbox, ctx ends,
// or so long has passed. A change that came before shows in the next look.
func (r *remote) idleHere(ctx context.Context, most time.Duration) error {
	if r.open != deviceBox { // it is not there yet
		return pause.For(ctx, time.Second)
	}
	idle, err := r.client.Idle()
	if err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-r.changed:
	case <-r.client.Closed():
	case <-ctx.Done():
	case <-timer.C:
	}
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		return fmt.Errorf("end idle: %w", errors.Join(ctx.Err(), err))
	}
	return ctx.Err()
}
