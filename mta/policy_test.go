package mta

import (
	"errors"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

var (
	anna   = addr.MustParse("anna@here.example")
	shadow = addr.MustParse("shadow@alias.example")
	bert   = addr.MustParse("bert@here.example")
	zoe    = addr.MustParse("zoe@there.example")
	nobody addr.Address
)

// asAnna is the policy of a submission session of anna, who has two addresses.
func asAnna() policy {
	return policy{role: submission, domains: ourDomains(), own: []addr.Address{anna, shadow}}
}

func fromOutside() policy { return policy{role: exchange, domains: ourDomains()} }

func ourDomains() []string { return []string{"here.example", "alias.example"} }

func TestSenderPolicy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		p    policy
		from addr.Address
		want error
	}{
		{"own", asAnna(), anna, nil},
		{"own in capitals", asAnna(), addr.MustParse("ANNA@Here.Example"), nil},
		{"own alias", asAnna(), shadow, nil},
		{"another user", asAnna(), bert, errSender},
		{"own name elsewhere", asAnna(), addr.MustParse("anna@there.example"), errSender},
		{"null sender at submission", asAnna(), nobody, errSender},
		{"outside", fromOutside(), zoe, nil},
		{"null sender from outside", fromOutside(), nobody, nil},
		{"our user from outside", fromOutside(), anna, errForged},
		{"no user of ours, but our domain", fromOutside(), addr.MustParse("x@alias.example"), errForged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.p.sender(test.from); !errors.Is(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestAuthorPolicy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		p    policy
		from []addr.Address
		want error
	}{
		{"own", asAnna(), []addr.Address{anna}, nil},
		{"own alias", asAnna(), []addr.Address{shadow}, nil},
		{"none", asAnna(), nil, errFromCount},
		{"two own", asAnna(), []addr.Address{anna, shadow}, errFromCount},
		{"another user", asAnna(), []addr.Address{bert}, errFrom},
		{"outside", asAnna(), []addr.Address{zoe}, errFrom},
		{"from outside", fromOutside(), []addr.Address{zoe}, nil},
		{"our user from outside", fromOutside(), []addr.Address{anna}, errForged},
		{"our user hidden behind another", fromOutside(), []addr.Address{zoe, anna}, errForged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.p.author(test.from); !errors.Is(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRecipientPolicy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		p    policy
		to   addr.Address
		want error
	}{
		{"submission, local", asAnna(), bert, nil},
		{"submission, other domain of ours", asAnna(), shadow, nil},
		{"submission, remote", asAnna(), zoe, errNoRoute},
		{"submission, remote, with a queue", policy{role: submission, domains: ourDomains(), remote: true}, zoe, nil},
		{"outside, remote, with a queue", policy{role: exchange, domains: ourDomains(), remote: true}, zoe, errRelay},
		{"MX, local", fromOutside(), bert, nil},
		{"MX, remote", fromOutside(), zoe, errRelay},
		{"MX, subdomain of ours", fromOutside(), addr.MustParse("a@sub.here.example"), errRelay},
		{"MX, literal", fromOutside(), addr.MustParse("a@[127.0.0.1]"), errRelay},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.p.recipient(test.to); !errors.Is(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	if err := asAnna().budget(7, 32*mib); err != nil {
		t.Errorf("eighth recipient of 32 MiB: %v", err)
	}
	if err := asAnna().budget(8, 32*mib); err != errBudget {
		t.Errorf("ninth recipient of 32 MiB: got %v, want %v", err, errBudget)
	}
	if err := asAnna().budget(99, 0); err != nil {
		t.Errorf("size not announced: %v", err)
	}
	tests := []struct {
		recipients int
		limit      int64
		err        error
	}{
		{1, 30 * mib, mailbox.ErrTooLarge},
		{8, 30 * mib, mailbox.ErrTooLarge},
		{16, 16 * mib, errTooLargeFor},
		{100, 256 * mib / 100, errTooLargeFor},
	}
	for _, test := range tests {
		limit, err := messageLimit(30*mib, test.recipients)
		if limit != test.limit || err != test.err {
			t.Errorf("%d recipients: got %d, %v; want %d, %v", test.recipients, limit, err, test.limit, test.err)
		}
	}
}

func TestLoop(t *testing.T) {
	t.Parallel()
	if err := loop(30); err != nil {
		t.Errorf("30 Received fields: %v", err)
	}
	if err := loop(31); err != errLoop {
		t.Errorf("31 Received fields: got %v, want %v", err, errLoop)
	}
}
