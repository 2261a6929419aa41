package gateway

import (
	"errors"
	"strings"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// arrival is a mail of SecureJoin.
type arrival struct {
	pgp.Opened
	from  addr.Address // in the header outside
	inner addr.Address // in the protected header
}

// get returns the value of a field of the protected header.
func (a arrival) get(name string) string {
	for _, f := range a.Header {
		if f.Is(name) {
			return f.Value
		}
	}
	return ""
}

// bySecret reports whether the secret of an invitation opened the mail, and no key.
func (a arrival) bySecret() bool { return a.OpenedBy == "" }

// signedFor reports whether the mail was encrypted to the identity's key, and signed by
// the sender for the identity: it carries that certificate, so that nobody can have
// passed on what was said to another. No answer shows that another key of the user's
// opens mail to this one.
func (a arrival) signedFor(own *Identity) bool {
	if own == nil || own.Current == nil || !own.has(a.OpenedBy) {
		return false
	}
	if a.bySecret() || a.Signature != pgp.GoodSignature || a.Misdirected || a.from.IsZero() || !a.from.Equal(a.inner) {
		return false
	}
	for _, g := range pgp.FindGossip(a.Header) {
		if g.Cert.Fingerprint() == own.Current.Fingerprint() {
			return true
		}
	}
	return false
}

// handle takes a mail of SecureJoin. It reports whether that is done with: the mail
// was a step of a meeting of this gateway's, and nothing in it is for the user to
// read. A step that does not prove what it must is not ours, nor one that can't be
// answered for want of a key; what it was meant for goes on waiting.
func (j *joiner) handle(a arrival) (done bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.expireLocked(); err != nil {
		return false, err
	}
	done, err = j.stepLocked(a)
	if isUnsendable(err) || errors.Is(err, ErrEnded) || errors.Is(err, ErrNotOwn) {
		return false, nil
	}
	return done, err
}

func (j *joiner) stepLocked(a arrival) (done bool, err error) {
	switch strings.ToLower(a.get("Secure-Join")) {
	case "vc-request-pubkey":
		return j.askedForKey(a)
	case "vc-pubkey":
		return j.gotKey(a)
	case "vc-request-with-auth", "vg-request-with-auth":
		return j.introduced(a)
	case "vc-contact-confirm":
		return j.confirmed(a, "")
	case "vg-member-added": // the user is shown that they are in the group
		_, err := j.confirmed(a, a.get("Chat-Group-ID"))
		return false, err
	}
	return false, nil
}

// askedForKey: somebody has the link, and asks for the key. They don't say who they
// are in any way that could be believed; the answer shows nothing that is not public.
func (j *joiner) askedForKey(a arrival) (bool, error) {
	i, ok := j.invites[a.get("Secure-Join-Auth")]
	if !a.bySecret() || !ok || a.from.IsZero() {
		return false, nil
	}
	p, err := j.contacts.Peer(a.from)
	if err != nil || p.Blocked {
		return p.Blocked, err
	}
	return true, j.send(note{from: i.Address, to: []addr.Address{a.from}, secret: i.secret(), header: step("vc-pubkey", i.Auth), sign: true})
}

// gotKey: the inviter's key has come, and is the one that the link names.
func (j *joiner) gotKey(a arrival) (bool, error) {
	for _, x := range j.joins {
		if !a.bySecret() || x.State != JoinAsked || a.Signature != pgp.GoodSignature || a.Signer != x.Fingerprint {
			continue
		}
		brought, ok := pgp.FindAutocrypt(a.Header, a.from)
		if !ok || !containsAddress(x.all(), a.from) || brought.Cert.Fingerprint() != x.Fingerprint {
			continue
		}
		x.Address = a.from
		_, err := j.introduceLocked(x, brought.Cert)
		return true, err
	}
	return false, nil
}

// introduced: somebody who has the link sends their key, signed with it.
func (j *joiner) introduced(a arrival) (bool, error) {
	i, ok := j.invites[a.get("Secure-Join-Auth")]
	if !ok || !a.signedFor(j.own().of(i.Address)) || !strings.EqualFold(a.get("Secure-Join-Fingerprint"), string(a.Signer)) {
		return false, nil
	}
	cert, err := j.signerCert(a)
	if err != nil || cert == nil {
		return false, err
	}
	if err := j.verify(a.from, cert, i.Address); err != nil {
		return false, err
	}
	if i.Group == "" {
		return true, j.send(note{from: i.Address, to: []addr.Address{a.from}, header: step("vc-contact-confirm", ""), gossip: true})
	}
	err = j.addMember(i.Group, a.from)
	if errors.Is(err, ErrNoGroup) {
		return true, nil // it was left meanwhile
	}
	return true, err
}

// signerCert returns the certificate that made the mail's signature, which the mail
// brought or we had.
func (j *joiner) signerCert(a arrival) (*pgp.Cert, error) {
	if brought, ok := pgp.FindAutocrypt(a.Header, a.from); ok && brought.Cert.Fingerprint() == a.Signer {
		return brought.Cert, nil
	}
	certs, err := j.contacts.Certs(a.from)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if c.Fingerprint() == a.Signer {
			return c, nil
		}
	}
	return nil, nil
}

// confirmed: the inviter has verified the user, or taken them into the group.
func (j *joiner) confirmed(a arrival, group string) (bool, error) {
	for _, x := range j.joins {
		if x.State == JoinAsked || x.Group != group || a.Signer != x.Fingerprint || !a.signedFor(j.own().of(x.As)) {
			continue
		}
		x.State = JoinDone
		return true, j.keepLocked(x)
	}
	return false, nil
}
