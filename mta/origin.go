package mta

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"golang.org/x/net/publicsuffix"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
)

// An Origin says what other servers must prove of a message: that the domain of
// its From field knows of it.
type Origin int

const (
	// OriginDKIM wants a DKIM signature of the domain (RFC 6376).
	OriginDKIM Origin = iota
	// OriginDMARC is content with SPF for the domain too (RFC 7489), which tells
	// the resolver where the mail comes from.
	OriginDMARC
	// OriginUnchecked takes every message for what it says. It is for tests and
	// demonstrations on one machine.
	OriginUnchecked
)

// originTime bounds all questions to DNS about one message.
const originTime = 20 * time.Second

// evidence is what was found out about where a message comes from.
type evidence struct {
	signed  bool // a good DKIM signature of the author's domain
	sent    bool // by a server of the author's domain, as SPF says
	report  bool // the null sender
	forbids bool // the domain's DMARC policy is to refuse what has neither
	unsure  bool // DNS did not answer, so that what is missing may be there
}

// admit decides on the evidence. A delivery report comes from wherever a message
// was stuck, and most servers don't sign it: only a domain that says that all its
// mail can be known is held to that. The gate has a grammar for reports.
func (o Origin) admit(e evidence) error {
	switch {
	case o == OriginUnchecked, e.signed, e.sent:
		return nil
	case e.unsure:
		return errDNS
	case e.report && !e.forbids:
		return nil
	case o == OriginDMARC:
		return errUnauthentic
	}
	return errUnsigned
}

// An originCheck finds out where one message comes from. What it learns it tells
// nobody: neither the store nor the log has it.
type originCheck struct {
	origin Origin
	dns    Resolver
	tempo  *tempo
	author string // the domain of From
	dkim   *dkimCheck

	// Of the SMTP session.
	client netip.Addr
	hello  string
	sender addr.Address
}

// begin looks at the header as it came in. A message that can't pass any more is
// refused before its body is read.
func (c *originCheck) begin(header []byte, now time.Time) error {
	author, err := authorDomain(header)
	if err != nil {
		return err
	}
	if err := c.tempo.mayBring(author); err != nil {
		return err
	}
	c.author = author
	c.dkim = newDKIMCheck(header, c.related, now)
	if len(c.dkim.signatures) == 0 && c.origin == OriginDKIM && !c.sender.IsZero() {
		return errUnsigned
	}
	return nil
}

// authorDomain returns the one domain of the addresses in From. Every word of the
// field must be accounted for: what is shown to people is what was verified.
func authorDomain(header []byte) (string, error) {
	domain := ""
	for f := range mime.Fields(header) {
		if !f.Is("From") {
			continue
		}
		for _, entry := range mime.ParseAddressList(f.Value()) {
			a, err := addressOf(entry)
			if err != nil || domain != "" && domain != a.Domain() {
				return "", errFromCount
			}
			domain = a.Domain()
		}
	}
	if domain == "" {
		return "", errFromCount
	}
	return domain, nil
}

// verdict decides, when the body has been read.
func (c *originCheck) verdict(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, originTime)
	defer cancel()
	if err := c.origin.admit(c.evidence(ctx)); err != nil {
		return err
	}
	c.tempo.brought(c.author)
	return nil
}

// evidence asks DNS for as little as it can: whoever sees the questions learns who
// writes to us.
func (c *originCheck) evidence(ctx context.Context) evidence {
	e := evidence{report: c.sender.IsZero()}
	same := func(domain string) bool { return domain == c.author }
	var err error
	if e.signed, err = c.dkim.passes(ctx, c.dns, same); e.signed {
		return e
	}
	e.unsure = err != nil
	spf := c.origin == OriginDMARC || e.report
	if !spf && !c.dkim.has(c.relatedOnly) {
		return e
	}
	policy, err := lookUpPolicy(ctx, c.dns, c.author)
	e.forbids = policy.refuse
	if err != nil {
		e.unsure = true // what it demands is not known either
		return e
	}
	if !policy.strictDKIM {
		e.signed, err = c.dkim.passes(ctx, c.dns, c.relatedOnly)
		e.unsure = e.unsure || err != nil
	}
	if spf && !e.signed {
		e.sent, err = c.bySPF(ctx, policy.strictSPF)
		e.unsure = e.unsure || err != nil
	}
	return e
}

// bySPF reports whether SPF says that the client may send for the author's domain
// (RFC 7208). A report has no sender, and there the name in EHLO counts.
func (c *originCheck) bySPF(ctx context.Context, strict bool) (bool, error) {
	sender, domain := c.sender.String(), c.sender.Domain()
	if domain == "" {
		var err error
		if domain, err = domainOf(c.hello); err != nil {
			return false, nil
		}
		sender = "postmaster@" + domain
	}
	if !c.client.IsValid() || strict && domain != c.author || !c.related(domain) {
		return false, nil
	}
	result, _ := spf.CheckHostWithSender(c.client.AsSlice(), c.hello, sender, spf.WithContext(ctx), spf.WithResolver(c.dns))
	if result == spf.TempError {
		return false, errDNS
	}
	return result == spf.Pass, nil
}

// related reports whether a domain is of the same organization as the author's
// (RFC 7489, 3.2).
func (c *originCheck) related(domain string) bool {
	return domain == c.author || organization(domain) == organization(c.author)
}

func (c *originCheck) relatedOnly(domain string) bool { return domain != c.author && c.related(domain) }

// organization returns the part of a domain that was registered, or all of it
// where nobody could register one, as with an address.
func organization(domain string) string {
	if strings.HasPrefix(domain, "[") {
		return domain
	}
	name, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	return name
}

// An originReader passes a body on, and ends with the refusal of a message that
// does not come from where it says.
type originReader struct {
	r     io.Reader
	ctx   context.Context
	check *originCheck
	err   error // what every Read returns after the end
}

func (o *originReader) Read(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.r.Read(b)
	_, _ = o.check.dkim.Write(b[:n])
	if err == io.EOF {
		if refusal := o.check.verdict(o.ctx); refusal != nil {
			err = refusal
		}
	}
	o.err = err
	return n, err
}
