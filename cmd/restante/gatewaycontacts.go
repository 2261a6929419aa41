package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// contactView is what is known of one address's keys, as the command shows it.
type contactView struct {
	Address  string
	Standing string
	Key      string // fingerprint of the key in use
	Proposed string // of the one that waits for a decision
	LastSeen time.Time
	Trouble  string // why the key can't be used
	Sources  []string
}

func gatewayContacts(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "contacts [ADDRESS]",
		Short: "List whose keys are known, or show one with its fingerprint",
		Long: "List whose keys are known, or show one with its fingerprint. What their keys are:\n" +
			"  verified  you have compared fingerprints\n" +
			"  pinned    in use since their first mail, or since you accepted it\n" +
			"  heard     others, or their domain, say it is theirs; used until they write\n" +
			"  changed   another key came up, and mail is held until you decide",
		Args: atMost(1, "one address at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []contactView
			if err := h.do(cmd.Context(), "contacts", strings.Join(args, ""), &list); err != nil {
				return err
			}
			if len(args) == 1 {
				printContact(e, list[0])
				return nil
			}
			printContacts(e, list)
			return nil
		},
	}
}

func opContacts(_ context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var only string
	if err := json.Unmarshal(request, &only); err != nil {
		return nil, err
	}
	if only != "" {
		a, err := addr.Parse(only)
		if err != nil {
			return nil, err
		}
		p, err := g.Contacts().Peer(a)
		if err != nil {
			return nil, err
		}
		if len(p.Certs) == 0 {
			return nil, fmt.Errorf("no key of %s is known", a)
		}
		return []contactView{viewOfPeer(g, a, p)}, nil
	}
	var list []contactView
	err := g.Contacts().Each(func(a addr.Address, p gateway.Peer) error {
		list = append(list, viewOfPeer(g, a, p))
		return nil
	})
	slices.SortFunc(list, func(a, b contactView) int { return strings.Compare(a.Address, b.Address) })
	return list, err
}

func viewOfPeer(g *openedGateway, a addr.Address, p gateway.Peer) contactView {
	v := contactView{Address: a.String(), Proposed: string(p.Proposed), LastSeen: p.LastSeen}
	f, standing, _ := p.Fingerprint() // its error is in the standing
	if standing == gateway.Changed {
		f = p.Pinned
	}
	v.Standing, v.Key = standing.String(), string(f)
	if _, _, err := g.Contacts().Cert(a, time.Now()); err != nil && !errors.Is(err, gateway.ErrHeld) {
		v.Trouble = err.Error()
	}
	from := map[string]bool{}
	for _, s := range p.Certs[f].Provenance {
		from[string(s.Source)] = true
	}
	v.Sources = slices.Sorted(maps.Keys(from))
	return v
}

func printContacts(e env, list []contactView) {
	if len(list) == 0 {
		say(e, "no keys are known yet; `restante gateway accept` takes a key file or a link")
		return
	}
	rows := [][]string{{"ADDRESS", "KEY IS", "LAST MAIL", ""}}
	for _, v := range list {
		rows = append(rows, []string{v.Address, v.Standing, dayOrNever(v.LastSeen), v.Trouble})
	}
	printColumns(e.stdout, rows)
}

func printContact(e env, v contactView) {
	rows := [][2]string{
		{"Address", v.Address}, {"Key is", v.Standing}, {"Fingerprint", fingerprintText(v.Key)},
		{"In words", gateway.Words(pgp.Fingerprint(v.Key))}, {"Known by", strings.Join(v.Sources, ", ")}, {"Last mail", dayOrNever(v.LastSeen)},
	}
	if v.Proposed != "" {
		rows = append(rows, [2]string{"New key", fingerprintText(v.Proposed)}, [2]string{"In words", gateway.Words(pgp.Fingerprint(v.Proposed))})
	}
	if v.Trouble != "" {
		rows = append(rows, [2]string{"Problem", v.Trouble})
	}
	printTable(e.stdout, rows)
}

func dayOrNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.DateOnly)
}

// acceptRequest asks to take a key: one from a file, or the one that waits.
type acceptRequest struct {
	Address     string
	Cert        []byte `json:",omitempty"` // "" is the key that waits
	Fingerprint string `json:",omitempty"` // as its owner says it
	Refuse      bool   `json:",omitempty"`
	Identity    string `json:",omitempty"` // by which the user writes to them
}

func gatewayAccept(e env, h *gatewayHome) *cobra.Command {
	var r acceptRequest
	cmd := &cobra.Command{
		Use:   "accept LINK|FILE|ADDRESS",
		Short: "Take somebody's key: by their invitation, from a file, or a changed one that waits for you",
		Long: "Take somebody's key. LINK is their invitation, made by Restante or Delta Chat, in 'quotes'. FILE is their public key. ADDRESS is somebody whose key has changed: compare the fingerprint with\n" +
			"them, by telephone or when you meet, and give it with --fingerprint, as digits or as the words. A key that was\n" +
			"compared counts as verified.",
		Args: exactly(1, "one link, one key file or one address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if gateway.IsInvitation(args[0]) {
				return followInvitation(cmd.Context(), e, h, meetRequest{args[0], r.Identity})
			}
			if err := r.read(args[0]); err != nil {
				return err
			}
			var v contactView
			if err := h.do(cmd.Context(), "accept", r, &v); err != nil {
				return err
			}
			printContact(e, v)
			return nil
		},
	}
	cmd.Flags().StringVar(&r.Address, "address", "", "whose key it is, if the file names several `ADDRESS`es or none")
	cmd.Flags().StringVar(&r.Fingerprint, "fingerprint", "", "the `FINGERPRINT` or its words, as the owner told you")
	identityFlag(cmd, &r.Identity)
	cmd.Flags().BoolVar(&r.Refuse, "refuse", false, "keep the old key, and don't ask about the new one again")
	return cmd
}

// read fills in what the argument is: a file if there is one of that name.
func (r *acceptRequest) read(arg string) error {
	b, err := readSmall(arg, pgp.MaxCert*2)
	if err == nil {
		r.Cert = b
		return nil
	}
	if _, notAddress := addr.Parse(arg); notAddress != nil {
		return fmt.Errorf("%q is no address, and no key file: %w", arg, err)
	}
	r.Address = arg
	return nil
}

func opAccept(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r acceptRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	accept := acceptHeld
	if len(r.Cert) > 0 {
		accept = acceptCert
	}
	a, err := accept(g, r)
	if err != nil {
		return nil, err
	}
	if r.Identity != "" {
		identity, err := g.named(ctx, r.Identity)
		if err != nil {
			return nil, err
		}
		if err := g.UseIdentity(identity, a); err != nil {
			return nil, err
		}
	}
	p, err := g.Contacts().Peer(a)
	if err != nil {
		return nil, err
	}
	return viewOfPeer(g, a, p), nil
}

// acceptHeld decides about the key that waits.
func acceptHeld(g *openedGateway, r acceptRequest) (addr.Address, error) {
	a, err := addr.Parse(r.Address)
	if err != nil {
		return a, err
	}
	p, err := g.Contacts().Peer(a)
	if err != nil {
		return a, err
	}
	f, _, _ := p.Fingerprint() // its error is told below
	switch {
	case p.Proposed != "" && r.Refuse:
		return a, g.Contacts().Refuse(a, p.Proposed)
	case p.Proposed != "":
		f = p.Proposed
	case r.Refuse || f == "":
		return a, fmt.Errorf("no key of %s waits for a decision", a)
	}
	if r.Fingerprint == "" {
		return a, fmt.Errorf("compare the key of %s with its owner first, then say what the owner said with --fingerprint; "+
			"`restante gateway contacts %s` shows what is to be compared", a, a)
	}
	if !sameFingerprint(f, r.Fingerprint) {
		return a, errors.New("that is another fingerprint: nothing was changed. Somebody may be between you: don't write to this address until you know")
	}
	cert, err := pgp.ParseCert(p.Certs[f].Cert)
	if err != nil {
		return a, err
	}
	return a, g.Contacts().Verify(a, cert, time.Now())
}

// acceptCert takes a key from a file.
func acceptCert(g *openedGateway, r acceptRequest) (addr.Address, error) {
	cert, err := pgp.ParseCert(r.Cert)
	if err != nil {
		return addr.Address{}, fmt.Errorf("key file: %w", err)
	}
	a, err := ownerOf(cert, r.Address)
	if err != nil {
		return a, err
	}
	if r.Fingerprint == "" {
		return a, g.Contacts().Import(a, cert, time.Now())
	}
	if !sameFingerprint(cert.Fingerprint(), r.Fingerprint) {
		return a, errors.New("the key in the file has another fingerprint: it was not taken")
	}
	return a, g.Contacts().Verify(a, cert, time.Now())
}

// ownerOf returns whose key it is: who the user says, or the only address in it.
func ownerOf(cert *pgp.Cert, said string) (addr.Address, error) {
	if said != "" {
		return addr.Parse(said)
	}
	list := cert.Addresses()
	if len(list) != 1 {
		return addr.Address{}, fmt.Errorf("the key names %d addresses: say with --address whose it is", len(list))
	}
	return list[0], nil
}

// sameFingerprint compares a fingerprint with what somebody said of it: digits in any
// grouping, or words.
func sameFingerprint(f pgp.Fingerprint, said string) bool {
	plain := func(s string) string { return strings.ToUpper(strings.Join(strings.Fields(s), "")) }
	return f != "" && (plain(said) == string(f) || plain(said) == plain(gateway.Words(f)))
}
